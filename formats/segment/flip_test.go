package segment

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestFlip compares reversed axes with elements that are moved one by one, at random offsets,
// also where a row is longer than a read, and an axis has more rows than one.
func TestFlip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int64{{1}, {7}, {0, 3}, {3, 0}, {2, 3, 4}, {300_000}, {3, 200_000}, {5000, 33}, {70_000, 2, 3}, {2, 3, 70_000}, {4, 1, 5, 30_000}} {
		count, err := Count(shape)
		if err != nil {
			t.Fatal(err)
		}
		const elem = 2
		src := make(Literal, count*elem)
		for i := range src {
			src[i] = byte(random.Uint32())
		}
		for mask := range 1 << len(shape) {
			flipped := make([]bool, len(shape))
			for i := range flipped {
				flipped[i] = mask>>i&1 != 0
			}
			want := make([]byte, len(src))
			for i := range count {
				from, rest, scale := int64(0), i, int64(1)
				for axis := len(shape) - 1; axis >= 0; axis-- {
					k := rest % shape[axis]
					rest /= shape[axis]
					if flipped[axis] {
						k = shape[axis] - 1 - k
					}
					from += k * scale
					scale *= shape[axis]
				}
				copy(want[i*elem:], src[from*elem:][:elem])
			}
			f, err := NewFlip(src, elem, shape, flipped)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, f.Size())
			if err := ReadFull(f, got, 0); len(got) > 0 && err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, %v: others, %v", shape, flipped, err)
			}
			for range 20 {
				if len(want) == 0 {
					break
				}
				off := random.IntN(len(want))
				part := make([]byte, 1+random.IntN(min(len(want)-off, 1<<18)))
				if err := ReadFull(f, part, int64(off)); err != nil || !bytes.Equal(part, want[off:off+len(part)]) {
					t.Errorf("%v, %v: others at %d, %v", shape, flipped, off, err)
				}
			}
		}
	}
	if _, err := NewFlip(Literal("abc"), 2, []int64{2}, []bool{true}); err == nil {
		t.Error("a shape that does not fit is accepted")
	}
}
