package ops

import (
	"context"
	"io"
	"math"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// TestCheck counts numbers at and beside all borders of each dtype, and compares with what
// Cast makes of them.
func TestCheck(t *testing.T) {
	halves, singles, doubles := patterns()
	for _, from := range []checkpoint.DType{checkpoint.F64, checkpoint.F32, checkpoint.F16, checkpoint.BF16, checkpoint.F8E5M2} {
		src := map[int][]byte{8: halves, 16: halves, 32: singles, 64: doubles}[from.Bits()]
		values := func(i int) float64 { return math.Float64frombits(le.Uint64(src[8*i:])) }
		if from != checkpoint.F64 {
			wide := src
			if from != checkpoint.F32 {
				wide = cast(t, src, from, checkpoint.F32)
			}
			values = func(i int) float64 { return float64(math.Float32frombits(le.Uint32(wide[4*i:]))) }
		}
		for _, to := range []checkpoint.DType{checkpoint.F32, checkpoint.F16, checkpoint.BF16, checkpoint.F8E4M3, checkpoint.F8E5M2} {
			want := Counts{Elements: int64(len(src) * 8 / from.Bits())}
			data, err := NaN.Cast(segment.Literal(src), from, to)
			if err != nil {
				t.Fatal(err)
			}
			narrow := make([]byte, data.Size())
			if err := segment.ReadFull(data, narrow, 0); err != nil {
				t.Fatal(err)
			}
			after := narrow
			if to != checkpoint.F32 {
				after = cast(t, narrow, to, checkpoint.F32)
			}
			for i := range int(want.Elements) {
				before, now := values(i), float64(math.Float32frombits(le.Uint32(after[4*i:])))
				switch {
				case before != before:
					want.NaN++
				case math.IsInf(before, 0):
					want.Infinite++
				case math.IsInf(now, 0) || now != now:
					want.Overflow++
				case before != 0 && now == 0:
					want.Underflow++
				}
			}
			got, err := Check(io.ReaderAt.ReadAt, segment.Literal(src), from, to)
			if err != nil || got != want {
				t.Errorf("%s to %s: %+v, %v, want %+v", from, to, got, err, want)
			}
		}
	}
	if _, err := Check(io.ReaderAt.ReadAt, segment.Literal(nil), checkpoint.I32, checkpoint.F16); err == nil {
		t.Error("integers were checked")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Check(segment.ReadUntil(ctx), segment.Literal(halves), checkpoint.F16, checkpoint.F32); err != context.Canceled {
		t.Errorf("a check that nobody waits for: %v", err)
	}
	var c Counts
	if one := (Counts{1, 2, 3, 4, 5}); c.Add(one) != one || one.Add(one) != (Counts{2, 4, 6, 8, 10}) {
		t.Error("counts do not add up")
	}
}

// TestOverflow casts numbers past the largest, as ml_dtypes and earlier versions of torch do.
func TestOverflow(t *testing.T) {
	inf := float32(math.Inf(1))
	var src []byte
	values := []float32{448, 464, math.Nextafter32(464, 500), 480, 1e9, inf, -448, -464, -465, -inf, 0, 1, float32(math.NaN())}
	want := []byte{0x7e, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0xfe, 0xfe, 0xff, 0xff, 0, 0x38, 0x7f}
	for _, v := range values {
		src = le.AppendUint32(src, math.Float32bits(v))
	}
	data, err := NaN.Cast(segment.Literal(src), checkpoint.F32, checkpoint.F8E4M3)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if err := segment.ReadFull(data, got, 0); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%g becomes %#x, want %#x", values[i], got[i], want[i])
		}
	}
	// Other dtypes have infinities, and go by the same kernels.
	for _, to := range []checkpoint.DType{checkpoint.F16, checkpoint.F8E5M2} {
		a, err := NaN.To(Array{DType: checkpoint.F32, Shape: []int64{int64(len(values))}, Data: segment.Literal(src)}, to)
		if err != nil || a.DType != to {
			t.Fatal(a, err)
		}
		b := make([]byte, a.Data.Size())
		if err := segment.ReadFull(a.Data, b, 0); err != nil {
			t.Fatal(err)
		}
		if string(b) != string(cast(t, src, checkpoint.F32, to)) {
			t.Errorf("%s of numbers past the largest: % x", to, b)
		}
	}
}

// BenchmarkCheck counts bytes that are checked.
func BenchmarkCheck(b *testing.B) {
	src := make([]byte, 64<<20)
	for i := 0; i < len(src); i += 4 {
		le.PutUint32(src[i:], 0x3c000000+uint32(i))
	}
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := Check(io.ReaderAt.ReadAt, segment.Literal(src), checkpoint.F32, checkpoint.F16); err != nil {
			b.Fatal(err)
		}
	}
}
