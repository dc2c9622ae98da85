package segment

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
)

// probe reads d at random offsets and lengths and compares with want.
func probe(t *testing.T, name string, d Data, want []byte, rng *rand.Rand) {
	t.Helper()
	if d.Size() != int64(len(want)) {
		t.Fatalf("%s: size %d, want %d", name, d.Size(), len(want))
	}
	for range 30 {
		off := rng.IntN(len(want) + 2)
		p := make([]byte, rng.IntN(len(want)+3))
		n, err := d.ReadAt(p, int64(off))
		end := min(off+len(p), len(want))
		expect := []byte{}
		if off < len(want) {
			expect = want[off:end]
		}
		if n != len(expect) || !bytes.Equal(p[:n], expect) {
			t.Fatalf("%s: %d bytes at %d: got %d bytes % x, want % x", name, len(p), off, n, p[:n], expect)
		}
		if n < len(p) && err != io.EOF {
			t.Fatalf("%s: short read without io.EOF: %v", name, err)
		}
	}
}

func TestList(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	src := bytes.NewReader([]byte("0123456789abcdef"))
	l, err := NewList(Literal("xy"), Literal(nil), &Range{src, 3, 5}, &Range{src, 0, 0}, Literal("z"), &Range{src, 15, 1})
	if err != nil {
		t.Fatal(err)
	}
	probe(t, "list", l, []byte("xy34567zf"), rng)
	if _, err := NewList(&Range{src, 0, 1 << 62}, &Range{src, 0, 1 << 62}); err == nil {
		t.Error("an overflowing list was accepted")
	}
	short := &Range{src, 10, 20}
	if n, err := short.ReadAt(make([]byte, 20), 0); err == nil || err == io.EOF {
		t.Errorf("a source that ends early gave %d bytes and %v", n, err)
	}
}

// naive gathers the array element by element.
func naive(src []byte, off, elem int64, shape, stride []int64) []byte {
	var out []byte
	var walk func(axis int, at int64)
	walk = func(axis int, at int64) {
		if axis == len(shape) {
			out = append(out, src[off+at*elem:off+(at+1)*elem]...)
			return
		}
		for i := range shape[axis] {
			walk(axis+1, at+i*stride[axis])
		}
	}
	walk(0, 0)
	return out
}

func TestStrided(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for trial := range 2000 {
		elem := []int64{1, 2, 4, 8, 16, 3}[rng.IntN(6)]
		rank := rng.IntN(5)
		shape, stride := make([]int64, rank), make([]int64, rank)
		reach := int64(0)
		for i := range shape {
			shape[i] = 1 + rng.Int64N(7)
			stride[i] = rng.Int64N([]int64{2, 5, 40, 3000}[rng.IntN(4)])
			reach += (shape[i] - 1) * stride[i]
		}
		off := rng.Int64N(20)
		src := make([]byte, off+(reach+1)*elem)
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		name := fmt.Sprintf("trial %d: elem %d shape %v stride %v", trial, elem, shape, stride)
		d, err := NewStrided(nil, bytes.NewReader(src), int64(len(src)), off, elem, shape, stride)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		probe(t, name, d, naive(src, off, elem, shape, stride), rng)
		if _, err := NewStrided(nil, bytes.NewReader(src), int64(len(src))-1, off, elem, shape, stride); err == nil {
			t.Fatalf("%s: one byte less was accepted", name)
		}
	}
}

// TestStridedLarge takes arrays beyond the span of one read: transposes, slices
// and expanded ones of some megabytes.
func TestStridedLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	rng := rand.New(rand.NewPCG(5, 6))
	src := make([]byte, 4<<20)
	for i := range src {
		src[i] = byte(i ^ i>>8 ^ i>>16)
	}
	for _, c := range []struct{ shape, stride []int64 }{
		{[]int64{1024, 1024}, []int64{1, 1024}},
		{[]int64{200_000}, []int64{5}},
		{[]int64{3, 300_000}, []int64{0, 3}},
		{[]int64{300_000, 3}, []int64{3, 0}},
		{[]int64{8, 3, 200, 200}, []int64{120000, 1, 600, 3}},
		{[]int64{17, 60000}, []int64{60000, 1}},
		{[]int64{700, 1000}, []int64{1, 1}},
		{[]int64{500, 2000}, []int64{0, 1}},
		{[]int64{2000, 500}, []int64{1, 0}},
		{[]int64{30, 40, 9, 5, 7}, []int64{1, 30, 6000, 1200, 54000}},
		{[]int64{100, 100, 3, 3}, []int64{900, 1, 300, 100}},
		{[]int64{33, 31, 37}, []int64{1, 33 * 37, 33}},
		{[]int64{400, 3}, []int64{1100, 300_000}},
	} {
		d, err := NewStrided(nil, bytes.NewReader(src), int64(len(src)), 0, 4, c.shape, c.stride)
		if err != nil {
			t.Fatal(err)
		}
		probe(t, fmt.Sprint(c), d, naive(src, 0, 4, c.shape, c.stride), rng)
	}
}

// TestStridedEmpty takes shapes without elements: whatever the strides say, nothing
// is read, and a size that overflows is refused all the same.
func TestStridedEmpty(t *testing.T) {
	src := bytes.NewReader(make([]byte, 64))
	d, err := NewStrided(nil, src, 64, 64, 4, []int64{0, 1 << 40}, []int64{math.MaxInt64, math.MaxInt64})
	if err != nil || d.Size() != 0 {
		t.Errorf("an empty array: %v", err)
	}
	if _, err := NewStrided(nil, src, 64, 0, 4, []int64{0, math.MaxInt64, 4}, []int64{1, 1, 1}); err == nil {
		t.Error("[0, 2^63-1, 4] was accepted")
	}
	d, err = NewStrided(nil, src, 64, 60, 4, nil, nil)
	if err != nil || d.Size() != 4 {
		t.Errorf("a scalar at the end: %v", err)
	}
}

func TestStridedRefuses(t *testing.T) {
	src := bytes.NewReader(make([]byte, 64))
	for _, c := range []struct {
		off           int64
		shape, stride []int64
	}{
		{0, []int64{2}, []int64{-1}},
		{-1, []int64{2}, []int64{1}},
		{65, []int64{0}, []int64{1}},
		{0, []int64{17}, []int64{1}},
		{0, []int64{-1}, []int64{1}},
		{0, []int64{2}, []int64{1, 1}},
		{0, []int64{1 << 40, 1 << 40}, []int64{0, 0}},
		{0, []int64{3}, []int64{1 << 62}},
		{0, []int64{1 << 61}, []int64{0}},
		{0, []int64{2, 2, 2}, []int64{1 << 62, 1 << 62, 1 << 62}},
		{0, []int64{math.MaxInt64, math.MaxInt64}, []int64{math.MaxInt64, math.MaxInt64}},
		{math.MaxInt64, []int64{1}, []int64{1}},
		{60, []int64{2}, []int64{1}},
	} {
		if d, err := NewStrided(nil, src, 64, c.off, 4, c.shape, c.stride); err == nil {
			t.Errorf("%+v: accepted with %d bytes", c, d.Size())
		}
	}
}

func TestElementwise(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	src := make([]byte, 24)
	for i := range src {
		src[i] = byte(i)
	}
	want := []byte{}
	for i := 0; i < len(src); i += 4 {
		want = append(want, src[i+3], src[i+2], src[i+1], src[i])
	}
	probe(t, "swap", Swap(Literal(src), 4), want, rng)
	wide := &Elementwise{From: Literal(src), In: 2, Out: 3, Apply: func(dst, src []byte) {
		for i := 0; i < len(src)/2; i++ {
			dst[3*i], dst[3*i+1], dst[3*i+2] = src[2*i], src[2*i+1], 0xee
		}
	}}
	want = want[:0]
	for i := 0; i < len(src); i += 2 {
		want = append(want, src[i], src[i+1], 0xee)
	}
	probe(t, "widen", wide, want, rng)
}
