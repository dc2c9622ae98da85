package diff

import (
	"context"
	"math/rand/v2"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// BenchmarkChanged compares tensors of which every number differs a bit.
func BenchmarkChanged(b *testing.B) {
	const size = 16 << 20
	for _, d := range []checkpoint.DType{checkpoint.BF16, checkpoint.F32, checkpoint.F64, checkpoint.I8, checkpoint.C64} {
		b.Run(d.String(), func(b *testing.B) {
			x := make(segment.Literal, size)
			width := d.Bits() / 8
			for i := range x {
				x[i] = byte(rand.Uint32())
				if i%4 == 3 || d == checkpoint.BF16 && i%2 == 1 { // numbers near 1
					x[i] = 0x3f
				}
			}
			y := append(segment.Literal{}, x...)
			for i := 0; i < size; i += width {
				y[i] ^= 1
			}
			shape := []int64{int64(size / width)}
			for b.Loop() {
				c := New([]Tensor{of("a", "w", d, shape, x)}, []Tensor{of("b", "w", d, shape, y)}, Options{})
				if err := c.Compare(context.Background(), nil); err != nil || c.Pairs[0].Values.Differing != shape[0] {
					b.Fatal(err, c.Pairs[0].Values)
				}
			}
			b.SetBytes(size)
		})
	}
}
