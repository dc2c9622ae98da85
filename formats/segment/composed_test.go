package segment

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestComposed reads what a view is made of, a header and then ranges, gathers and
// swapped or widened gathers, at random offsets and lengths across their borders.
func TestComposed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	rng := rand.New(rand.NewPCG(9, 10))
	src := make([]byte, 60_000)
	for i := range src {
		src[i] = byte(rng.Uint32())
	}
	for range 300 {
		var parts []Data
		var want []byte
		for range 1 + rng.IntN(6) {
			rows, columns, width := 1+rng.Int64N(40), 1+rng.Int64N(40), []int64{1, 2, 4, 8}[rng.IntN(4)]
			off := rng.Int64N(100)
			gathered, err := NewStrided(nil, bytes.NewReader(src), int64(len(src)), off, width, []int64{rows, columns}, []int64{1, rows})
			if err != nil {
				t.Fatal(err)
			}
			plain := naive(src, off, width, []int64{rows, columns}, []int64{1, rows})
			switch rng.IntN(4) {
			case 0:
				parts, want = append(parts, Literal(src[:off])), append(want, src[:off]...)
			case 1:
				parts, want = append(parts, gathered), append(want, plain...)
			case 2:
				parts = append(parts, Swap(gathered, width))
				for i := int64(0); i < int64(len(plain)); i += width {
					for j := width - 1; j >= 0; j-- {
						want = append(want, plain[i+j])
					}
				}
			case 3:
				parts = append(parts, &Elementwise{From: gathered, In: width, Out: width + 1, Apply: func(dst, src []byte) {
					for i := int64(0); i < int64(len(src))/width; i++ {
						copy(dst[i*(width+1):], src[i*width:(i+1)*width])
						dst[i*(width+1)+width] = byte(i >> 63) // a buffer is reused: nothing of it may show
					}
				}})
				for i := int64(0); i < int64(len(plain)); i += width {
					want = append(append(want, plain[i:i+width]...), 0)
				}
			}
		}
		list, err := NewList(parts...)
		if err != nil {
			t.Fatal(err)
		}
		nested, err := NewList(Literal("{}"), list, Literal("end"))
		if err != nil {
			t.Fatal(err)
		}
		probe(t, "composed", nested, append(append([]byte("{}"), want...), "end"...), rng)
	}
}

// zeros is a source of any size that holds nothing.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// TestMemory reads from gathers of a terabyte: what a request allocates depends on
// the request.
func TestMemory(t *testing.T) {
	const size = 1 << 40
	for _, c := range []struct{ shape, stride []int64 }{
		{[]int64{1 << 19, 1 << 19}, []int64{1, 1 << 19}},
		{[]int64{1 << 38}, []int64{1}},
		{[]int64{1 << 36}, []int64{4}},
		{[]int64{1 << 30}, []int64{256}},
		{[]int64{1 << 20, 1 << 18}, []int64{0, 1 << 20}},
		{[]int64{1 << 10, 1 << 9, 1 << 9, 1 << 10}, []int64{1 << 28, 1, 1 << 19, 1 << 9}},
	} {
		d, err := NewStrided(nil, zeros{}, size, 0, 4, c.shape, c.stride)
		if err != nil {
			t.Fatal(err)
		}
		for _, request := range []int{4096, 4099, 1 << 18} {
			p := make([]byte, request)
			for _, off := range []int64{0, d.Size()/2 + 1, d.Size() - int64(request)} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				n, err := d.ReadAt(p, off)
				runtime.ReadMemStats(&after)
				if n != request || err != nil && err != io.EOF {
					t.Fatalf("%v: %d bytes at %d: %d, %v", c, request, off, n, err)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > uint64(request)+gatherSpan+1<<17 {
					t.Errorf("%v: a request of %d bytes at %d allocated %d", c, request, off, took)
				}
			}
		}
	}
}
