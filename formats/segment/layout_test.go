package segment

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLayoutOf takes layouts apart and puts them together, with other shapes too.
func TestLayoutOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	src := make([]byte, 4096)
	for i := range src {
		src[i] = byte(rng.Uint32())
	}
	found := 0
	for range 2000 {
		shape, stride := make([]int64, rng.IntN(4)), []int64(nil)
		reach := int64(1)
		for i := range shape {
			shape[i] = 1 + rng.Int64N(5)
			stride = append(stride, rng.Int64N(4)*rng.Int64N(12))
			reach += (shape[i] - 1) * stride[i]
		}
		bands := NewBands(0)
		d, err := NewStrided(bands, bytes.NewReader(src), int64(len(src)), rng.Int64N(100), 2, shape, stride)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, d.Size())
		if err := ReadFull(d, want, 0); err != nil {
			t.Fatal(err)
		}
		if n := len(shape); n > 1 && rng.IntN(2) == 0 { // two dimensions as one, which strides may not have
			i := rng.IntN(n - 1)
			shape = slices.Replace(slices.Clone(shape), i, i+2, shape[i]*shape[i+1])
		}
		l, gathered := LayoutOf(d, 2, shape)
		if _, ok := d.(*Strided); ok && gathered {
			found++
			if l.Bands != bands {
				t.Errorf("the bands of %v are not those of its gather", l)
			}
		}
		again, err := l.Data()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, again.Size())
		if err := ReadFull(again, got, 0); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v of %v: other bytes, %v", l, d, err)
		}
	}
	if found < 500 {
		t.Errorf("only %d gathers were taken apart", found)
	}
	d, err := NewStrided(nil, bytes.NewReader(src), 4096, 0, 2, []int64{4, 4}, []int64{1, 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, gathered := LayoutOf(d, 4, []int64{8}); gathered {
		t.Error("elements of another width were found in a gather")
	}
}

// TestInterleave joins rows of arrays, and reads across their borders.
func TestInterleave(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for trial := range 400 {
		count := 1 + rng.Int64N(20)
		var parts []Data
		var sources [][]byte
		for range rng.IntN(6) {
			row := []int64{0, 1, 2, 3, 4, 8, 17, 100}[rng.IntN(8)]
			if trial%40 == 0 {
				row *= 10_000 // longer than what is copied
			}
			b := make([]byte, row*count)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			sources = append(sources, b)
			if rng.IntN(2) == 0 {
				parts = append(parts, Literal(b))
			} else {
				parts = append(parts, NewRange(bytes.NewReader(b), 0, int64(len(b))))
			}
		}
		var want []byte
		for i := range count {
			for _, b := range sources {
				row := int64(len(b)) / count
				want = append(want, b[i*row:(i+1)*row]...)
			}
		}
		d, err := Interleave(count, parts...)
		if err != nil {
			t.Fatal(err)
		}
		probe(t, "interleaved", d, want, rng)
	}
	if _, err := Interleave(3, Literal("abcd")); err == nil {
		t.Error("four bytes have three rows")
	}
	if _, err := Interleave(2, NewRange(nil, 0, 1<<62), NewRange(nil, 0, 1<<62)); err == nil {
		t.Error("2^63 bytes are a file")
	}
	if d, err := Interleave(0); err != nil || d.Size() != 0 {
		t.Errorf("nothing: %v", err)
	}
}

// TestInterleaveReads counts the reads of a request.
func TestInterleaveReads(t *testing.T) {
	a, b := &counted{Reader: bytes.NewReader(make([]byte, 1<<20))}, &counted{Reader: bytes.NewReader(make([]byte, 1<<20))}
	d, err := Interleave(1<<18, NewRange(a, 0, 1<<20), NewRange(b, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if err := ReadFull(d, make([]byte, 400_000), 1001); err != nil {
		t.Fatal(err)
	}
	if a.reads != 1 || b.reads != 1 {
		t.Errorf("%d and %d reads for a request", a.reads, b.reads)
	}
}
