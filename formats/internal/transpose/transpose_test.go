package transpose

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestCopy compares with one element after the other, for every width, odd sizes and odd addresses, and looks for bytes
// written beside them.
func TestCopy(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		width, rows, cols := 1+rng.IntN(17), rng.IntN(70), rng.IntN(40)
		dstStride, srcStride := rows*width+rng.IntN(9), cols*width+rng.IntN(9)
		shift := rng.IntN(8)
		src := make([]byte, shift+rows*srcStride+cols*width)
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		src = src[shift:]
		want := bytes.Repeat([]byte{0xee}, cols*dstStride+rows*width+shift+20)
		got := bytes.Clone(want)
		for i := range rows {
			for j := range cols {
				copy(want[shift+j*dstStride+i*width:][:width], src[i*srcStride+j*width:])
			}
		}
		Copy(got[shift:], src, width, rows, cols, dstStride, srcStride)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d × %d of %d bytes, strides %d and %d: other bytes", rows, cols, width, srcStride, dstStride)
		}
		if rows > 0 && cols > 0 { // the twin, for those who have assembly
			clear(got[shift:])
			clear(want[shift:])
			Copy(want[shift:], src, width, rows, cols, dstStride, srcStride)
			m := &matrix{unsafe.Pointer(&got[shift]), unsafe.Pointer(&src[0]), dstStride, srcStride, width}
			if m.portable(0, rows, 0, cols); !bytes.Equal(got, want) {
				t.Fatalf("%d × %d of %d bytes: the twin has other bytes", rows, cols, width)
			}
		}
	}
	for _, short := range [][2]int{{63, 64}, {64, 63}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bytes to %d were enough for 64", short[1], short[0])
				}
			}()
			Copy(make([]byte, short[0]), make([]byte, short[1]), 4, 4, 4, 16, 16)
		}()
	}
}

// BenchmarkCopy turns what a gather has read, 64 runs of 4 KiB, into a part of a band of 64 MiB.
func BenchmarkCopy(b *testing.B) {
	const rows, run, length = 64, 4096, 16384
	src, dst := make([]byte, rows*(run+64)), make([]byte, length*run)
	for _, width := range []int{1, 2, 4, 8, 16, 3} {
		b.Run(fmt.Sprint(width), func(b *testing.B) {
			b.SetBytes(rows * run)
			at := 0
			for b.Loop() {
				Copy(dst[at:], src, width, rows, run/width, length*width, run+64)
				at = (at + rows*width) % (length * width)
			}
		})
	}
}
