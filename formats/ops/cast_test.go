package ops

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// cast reads all of b, cast.
func cast(t testing.TB, b []byte, from, to checkpoint.DType) []byte {
	t.Helper()
	data, err := Cast(segment.Literal(b), from, to)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, data.Size())
	if err := segment.ReadFull(data, out, 0); err != nil {
		t.Fatal(err)
	}
	return out
}

func float32s(b []byte) []float32 {
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(le.Uint32(b[4*i:]))
	}
	return values
}

// Landmarks of each format, from the tables in its specification. Every pattern is
// compared with torch's own cast in integration/.
func TestLandmarks(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for d, cases := range map[checkpoint.DType]map[byte]float32{
		checkpoint.F8E5M2: {0x00: 0, 0x01: 1. / 65536, 0x3c: 1, 0x7b: 57344, 0x7c: inf, 0xfc: -inf, 0x7d: nan, 0xbc: -1},
		checkpoint.F8E4M3: {0x01: 1. / 512, 0x38: 1, 0x7e: 448, 0x7f: nan, 0xff: nan, 0xfe: -448},
		checkpoint.F8E8M0: {0x00: float32(math.Ldexp(1, -127)), 0x7f: 1, 0x80: 2, 0xfe: float32(math.Ldexp(1, 127)), 0xff: nan},

		checkpoint.F8E4M3FNUZ: {0x80: nan, 0x40: 1, 0x7f: 240, 0x01: 1. / 1024},
		checkpoint.F8E5M2FNUZ: {0x80: nan, 0x40: 1, 0x7f: 57344},
	} {
		for pattern, want := range cases {
			got := float32s(cast(t, []byte{pattern}, d, checkpoint.F32))[0]
			if got != want && !(got != got && want != want) {
				t.Errorf("%s %#02x: %g, want %g", d, pattern, got, want)
			}
		}
	}
	if got := float32s(cast(t, []byte{0x80, 0x3f, 0x49, 0xc0}, checkpoint.BF16, checkpoint.F32)); got[0] != 1 || got[1] != -3.140625 {
		t.Errorf("bfloat16: %v", got)
	}
	// The first of two elements of a byte is in its low half.
	if got := float32s(cast(t, []byte{0x72, 0x9f}, checkpoint.F4, checkpoint.F32)); got[0] != 1 || got[1] != 6 || got[2] != -6 || got[3] != -0.5 {
		t.Errorf("float4: %v", got)
	}
	if got := cast(t, []byte{0x72}, checkpoint.F4, checkpoint.BF16); !bytes.Equal(got, []byte{0x80, 0x3f, 0xc0, 0x40}) {
		t.Errorf("float4 to bfloat16: % x", got)
	}
	for to, cases := range map[checkpoint.DType]map[float32]uint32{
		checkpoint.F16:    {1: 0x3c00, 65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, -inf: 0xfc00, 1 + 1./2048: 0x3c00, 1 + 3./2048: 0x3c02, 0x1p-25: 0, 0x1.8p-25: 1},
		checkpoint.BF16:   {1: 0x3f80, 1 + 1./256: 0x3f80, 1 + 3./256: 0x3f82, math.MaxFloat32: 0x7f80, 0x1p-149: 0},
		checkpoint.F8E4M3: {448: 0x7e, 464: 0x7e, 1e9: 0x7e, inf: 0x7e, -inf: 0xfe, 1: 0x38, 0x1p-10: 0, 0x1.8p-10: 1},
		checkpoint.F8E5M2: {57344: 0x7b, 61439: 0x7b, 61440: 0x7c, inf: 0x7c, -1: 0xbc, 0x1p-17: 0, 0x1.8p-17: 1},
	} {
		for value, want := range cases {
			b := append(cast(t, le.AppendUint32(nil, math.Float32bits(value)), checkpoint.F32, to), 0, 0)
			if got := uint32(le.Uint16(b)); got != want {
				t.Errorf("%g to %s: %#x, want %#x", value, to, got, want)
			}
		}
	}
}

// TestRefuses asks for what Cast does not do.
func TestRefuses(t *testing.T) {
	for _, c := range [][2]checkpoint.DType{
		{checkpoint.I32, checkpoint.F32}, {checkpoint.F32, checkpoint.I32}, {checkpoint.F32, checkpoint.Q4K}, {checkpoint.C64, checkpoint.F32},
		{checkpoint.F6E2M3, checkpoint.F32}, {checkpoint.F32, checkpoint.F64}, {checkpoint.F32, checkpoint.F4}, {checkpoint.Invalid, checkpoint.F32},
	} {
		if _, err := Cast(segment.Literal(nil), c[0], c[1]); err == nil || Casts(c[0], c[1]) {
			t.Errorf("%s is cast to %s", c[0], c[1])
		}
	}
	if d, err := Cast(segment.Literal("abc"), checkpoint.I32, checkpoint.I32); err != nil || d.Size() != 3 || !Casts(checkpoint.I32, checkpoint.I32) {
		t.Errorf("a cast to the same dtype: %v", err)
	}
}

// twins names the casts of two sets of kernels.
func twins(a, b *kernels) map[string][2]kernel {
	f8 := func(k *kernels, d checkpoint.DType) kernel { widen, _ := k.widener(d); return widen }
	return map[string][2]kernel{
		"F64": {a.fromF64, b.fromF64}, "F16": {a.fromF16, b.fromF16}, "BF16": {a.fromBF16, b.fromBF16},
		"F8_E4M3": {f8(a, checkpoint.F8E4M3), f8(b, checkpoint.F8E4M3)}, "F8_E5M2": {f8(a, checkpoint.F8E5M2), f8(b, checkpoint.F8E5M2)},
		"to F16": {a.toF16, b.toF16}, "to BF16": {a.toBF16, b.toBF16}, "to F8_E4M3": {a.toE4M3, b.toE4M3}, "to F8_E5M2": {a.toE5M2, b.toE5M2},
	}
}

// widths are the bytes of an element before and after a cast.
var widths = map[string][2]int{
	"F8_E4M3": {1, 4}, "F8_E5M2": {1, 4}, "F64": {8, 4}, "F16": {2, 4}, "BF16": {2, 4}, "to F16": {4, 2}, "to BF16": {4, 2}, "to F8_E4M3": {4, 1}, "to F8_E5M2": {4, 1},
}

// patterns are the float32 on both sides of, and at, every place where a number of at most
// 16 bits begins and every tie between two: each sign and exponent with each of the upper
// ten bits of the mantissa, and what is below them. Most float64 of the same numbers, and
// of some near their ties, stand in wide.
func patterns() (halves, singles, doubles []byte) {
	for h := range 1 << 16 {
		halves = le.AppendUint16(halves, uint16(h))
	}
	for upper := range uint32(1 << 19) {
		for _, lower := range []uint32{0, 1, 0x0fff, 0x1000, 0x1001, 0x1fff} {
			singles = le.AppendUint32(singles, upper<<13|lower)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(singles); i += 4 * 7 {
		b := math.Float64bits(float64(math.Float32frombits(le.Uint32(singles[i:]))))
		doubles = le.AppendUint64(le.AppendUint64(doubles, b|1<<28), b|1<<28|1)
		doubles = le.AppendUint64(le.AppendUint64(doubles, b), rng.Uint64())
	}
	return halves, singles, doubles
}

// TestTwins compares assembly with Go, bit for bit.
func TestTwins(t *testing.T) {
	halves, singles, doubles := patterns()
	inputs := map[int][]byte{1: halves, 2: halves, 4: singles, 8: doubles}
	for name, k := range twins(&portable, &best) {
		in, out := widths[name][0], widths[name][1]
		src := inputs[in]
		want, got := make([]byte, len(src)/in*out), make([]byte, len(src)/in*out)
		k[0](want, src)
		k[1](got, src)
		for i := 0; i < len(want); i += out {
			if !bytes.Equal(got[i:i+out], want[i:i+out]) {
				t.Errorf("%s of % x: % x, the twin has % x", name, src[i/out*in:][:in], got[i:i+out], want[i:i+out])
				break
			}
		}
	}
}

// TestTails casts every short length at every alignment, between bytes that must stay, and in
// place where an element gets no wider.
func TestTails(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, k := range twins(&portable, &best) {
		in, out := widths[name][0], widths[name][1]
		for count := range 100 {
			for shift := range 4 {
				src := make([]byte, shift+count*in)
				for i := range src {
					src[i] = byte(rng.Uint32())
				}
				want := bytes.Repeat([]byte{0xee}, 3*shift+count*out+16)
				got := bytes.Clone(want)
				k[0](want[3*shift:][:count*out], src[shift:])
				k[1](got[3*shift:][:count*out], src[shift:])
				if !bytes.Equal(got, want) {
					t.Fatalf("%s of %d elements, shifted by %d: % x, want % x", name, count, shift, got, want)
				}
				if out <= in {
					if k[1](src[shift:], src[shift:]); !bytes.Equal(src[shift:][:count*out], want[3*shift:][:count*out]) {
						t.Fatalf("%s of %d elements in place: % x", name, count, src)
					}
				}
			}
		}
	}
}

// TestCastAnywhere reads casts of every pair of dtypes at random offsets, most of them within an element.
func TestCastAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	src := make([]byte, 50_000*8)
	for i := range src {
		src[i] = byte(rng.Uint32())
	}
	pairs := 0
	for from := range checkpoint.DTypes() {
		for to := range checkpoint.DTypes() {
			if from == to || !Casts(from, to) {
				continue
			}
			pairs++
			data, err := Cast(segment.Literal(src), from, to)
			if err != nil {
				t.Fatal(err)
			}
			whole := make([]byte, data.Size())
			if err := segment.ReadFull(data, whole, 0); err != nil {
				t.Fatal(err)
			}
			elements, size := from.Block()
			if want := int64(len(src)) / size * elements * int64(to.Bits()) / 8; int64(len(whole)) != want {
				t.Fatalf("%s to %s: %d bytes, want %d", from, to, len(whole), want)
			}
			for range 50 {
				off := rng.IntN(len(whole))
				p := make([]byte, rng.IntN(min(200, len(whole)-off+1)))
				if n, _ := data.ReadAt(p, int64(off)); n != len(p) || !bytes.Equal(p, whole[off:off+n]) {
					t.Fatalf("%s to %s: other bytes at %d", from, to, off)
				}
			}
		}
	}
	if pairs < 40 {
		t.Errorf("only %d pairs", pairs)
	}
}

// BenchmarkCast counts bytes of output: of buffers in the second cache, and in memory.
func BenchmarkCast(b *testing.B) {
	for _, place := range []struct {
		name string
		size int // of both buffers
	}{{"L2", 192 << 10}, {"memory", 256 << 20}} {
		for _, c := range [][2]checkpoint.DType{
			{checkpoint.F32, checkpoint.BF16}, {checkpoint.F32, checkpoint.F16}, {checkpoint.F16, checkpoint.F32}, {checkpoint.BF16, checkpoint.F32},
			{checkpoint.F8E4M3, checkpoint.F32}, {checkpoint.F8E5M2, checkpoint.F32}, {checkpoint.F32, checkpoint.F8E4M3}, {checkpoint.F32, checkpoint.F8E5M2},
			{checkpoint.F64, checkpoint.F32}, {checkpoint.F16, checkpoint.BF16}, {checkpoint.BF16, checkpoint.F16}, {checkpoint.F8E4M3, checkpoint.BF16},
		} {
			for name, k := range map[string]*kernels{"fast": &best, "go": &portable} {
				if name == "go" && place.name == "memory" {
					continue
				}
				b.Run(fmt.Sprintf("%s/%s-%s/%s", place.name, c[0], c[1], name), func(b *testing.B) {
					widen, _ := k.widener(c[0])
					narrow, _ := k.narrower(c[1])
					in, out := c[0].Bits()/8, c[1].Bits()/8
					apply := widen
					switch {
					case widen == nil:
						apply = narrow
					case narrow != nil:
						apply = through(widen, narrow, in, out, 1)
					}
					n := place.size / (in + out)
					src, dst := make([]byte, n*in), make([]byte, n*out)
					rng := rand.New(rand.NewPCG(7, 8))
					for i := range n { // weights, so that no path is one of NaNs
						w := math.Float32bits(float32(rng.NormFloat64()) / 32)
						switch c[0] {
						case checkpoint.F64:
							binary.LittleEndian.PutUint64(src[8*i:], math.Float64bits(float64(math.Float32frombits(w))))
						case checkpoint.F32:
							le.PutUint32(src[4*i:], w)
						case checkpoint.F16, checkpoint.BF16:
							le.PutUint16(src[2*i:], uint16(formats[c[0]].round(w)))
						default:
							src[i] = byte(formats[c[0]].round(w))
						}
					}
					b.SetBytes(int64(len(dst)))
					for b.Loop() {
						apply(dst, src)
					}
				})
			}
		}
	}
}

// TestEveryFloat compares assembly with Go for all 2³² float32. It takes a minute or two.
func TestEveryFloat(t *testing.T) {
	if os.Getenv("EVERY_FLOAT") == "" {
		t.Skip("set EVERY_FLOAT=1 to cast all float32")
	}
	const step = 1 << 20
	src := make([]byte, 4*step)
	for first := uint64(0); first < 1<<32; first += step {
		for i := range uint64(step) {
			le.PutUint32(src[4*i:], uint32(first+i))
		}
		for name, k := range twins(&portable, &best) {
			if widths[name][0] != 4 {
				continue
			}
			want, got := make([]byte, step*widths[name][1]), make([]byte, step*widths[name][1])
			k[0](want, src)
			if k[1](got, src); !bytes.Equal(got, want) {
				t.Fatalf("%s: others than the twin's between %#x and %#x", name, first, first+step)
			}
		}
	}
}
