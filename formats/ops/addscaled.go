package ops

import (
	"fmt"
	"math"

	"wfs/formats/checkpoint"
)

// addScaled adds x·s to the elements of dst.
type addScaled func(dst []byte, x []float32, s float32)

// adder is the kernel for a dtype, or nil.
func (k *kernels) adder(d checkpoint.DType) addScaled {
	switch d {
	case checkpoint.F32:
		return k.addF32
	case checkpoint.F16:
		return k.addF16
	case checkpoint.BF16:
		return k.addBF16
	}
	return nil
}

// AddsScaled reports whether AddScaled takes elements of a dtype: F32, F16 and BF16.
func AddsScaled(d checkpoint.DType) bool { return best.adder(d) != nil }

// AddScaled adds x·s to the elements of dst, of dtype d, one for each of x. The product is
// rounded to float32, the sum to float32 and then, once, to d: as torch does it in
// w += x * s with x in float32.
func AddScaled(dst []byte, x []float32, s float32, d checkpoint.DType) {
	add := best.adder(d)
	if add == nil || len(dst) != len(x)*d.Bits()/8 {
		panic(fmt.Sprintf("ops: %d float32 added to %d bytes of %s", len(x), len(dst), d))
	}
	add(dst, x, s)
}

// The conversion of the product keeps Go from fusing it with the sum.

func addF32(dst []byte, x []float32, s float32) {
	for i, v := range x {
		w := math.Float32frombits(le.Uint32(dst[4*i:]))
		le.PutUint32(dst[4*i:], math.Float32bits(w+float32(v*s)))
	}
}

// adding is addScaled through float32, some at a time.
func adding(widen, narrow kernel) addScaled {
	return func(dst []byte, x []float32, s float32) {
		var wide [4 * 256]byte
		for len(x) > 0 {
			n := min(len(x), 256)
			b := wide[:4*n]
			widen(b, dst[:2*n])
			addF32(b, x[:n], s)
			narrow(dst[:2*n], b)
			dst, x = dst[2*n:], x[n:]
		}
	}
}
