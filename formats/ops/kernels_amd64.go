package ops

import (
	"golang.org/x/sys/cpu"

	"wfs/formats/checkpoint"
)

// native takes assembly where processor and operating system have AVX2, FMA and F16C: all of
// Intel's since 2013 and AMD's since 2015.
func native() kernels {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasF16C {
		return portable
	}
	return kernels{
		fromF64:  steps(fromF64AVX2, 8, 4, 8, portable.fromF64),
		fromF16:  steps(fromF16AVX2, 2, 4, 16, portable.fromF16),
		fromBF16: steps(fromBF16AVX2, 2, 4, 16, portable.fromBF16),
		toF16:    steps(toF16AVX2, 4, 2, 16, portable.toF16),
		toBF16:   steps(toBF16AVX2, 4, 2, 16, portable.toBF16),
		toE4M3:   steps(toE4M3AVX2, 4, 1, 32, portable.toE4M3),
		toE5M2:   steps(toE5M2AVX2, 4, 1, 32, portable.toE5M2),
		block:    blockAVX2,
		addF32:   addSteps(addF32AVX2, 4, portable.addF32),
		addF16:   addSteps(addF16AVX2, 2, portable.addF16),
		addBF16:  addSteps(addBF16AVX2, 2, portable.addBF16),

		sums:       sumsOf,
		arithmetic: vectors(),

		fromF8: map[checkpoint.DType]kernel{
			checkpoint.F8E4M3: steps(fromE4M3AVX2, 1, 4, 16, tabled(checkpoint.F8E4M3)),
			checkpoint.F8E5M2: steps(fromE5M2AVX2, 1, 4, 16, tabled(checkpoint.F8E5M2)),
		},
	}
}

// steps runs assembly that converts a multiple of step elements, and the twin for the rest.
func steps(fast func(dst, src *byte, n int), in, out, step int, twin kernel) kernel {
	return func(dst, src []byte) {
		n := len(src) / in / step * step
		if n > 0 {
			_ = dst[n*out-1]
			fast(&dst[0], &src[0], n)
		}
		twin(dst[n*out:], src[n*in:])
	}
}

// addSteps is steps for AddScaled, sixteen elements at a time.
func addSteps(fast func(dst *byte, x *float32, n int, s float32), width int, twin addScaled) addScaled {
	return func(dst []byte, x []float32, s float32) {
		n := len(x) / 16 * 16
		if n > 0 {
			_ = dst[n*width-1]
			fast(&dst[0], &x[0], n, s)
		}
		twin(dst[n*width:], x[n:], s)
	}
}

// blockAVX2 is block in assembly, for four rows or for one after the other.
func blockAVX2(c, b, a []float32, rows, inner, blocks, cs, bs, as int) {
	_, _, _ = c[(rows-1)*cs+blocks*blockCols-1], b[(rows-1)*bs+inner-1], a[(inner-1)*as+blocks*blockCols-1]
	if rows == 4 {
		block4AVX2(&c[0], &b[0], &a[0], inner, blocks, cs, bs, as)
		return
	}
	for i := range rows {
		block1AVX2(&c[i*cs], &b[i*bs], &a[0], inner, blocks, as)
	}
}

// The n elements, more than 0, are a multiple of what steps is given.

//go:noescape
func fromF64AVX2(dst, src *byte, n int)

//go:noescape
func fromF16AVX2(dst, src *byte, n int)

//go:noescape
func fromBF16AVX2(dst, src *byte, n int)

//go:noescape
func fromE4M3AVX2(dst, src *byte, n int)

//go:noescape
func fromE5M2AVX2(dst, src *byte, n int)

//go:noescape
func toF16AVX2(dst, src *byte, n int)

//go:noescape
func toBF16AVX2(dst, src *byte, n int)

//go:noescape
func toE4M3AVX2(dst, src *byte, n int)

//go:noescape
func toE5M2AVX2(dst, src *byte, n int)

//go:noescape
func addF32AVX2(dst *byte, x *float32, n int, s float32)

//go:noescape
func addF16AVX2(dst *byte, x *float32, n int, s float32)

//go:noescape
func addBF16AVX2(dst *byte, x *float32, n int, s float32)

// inner and blocks are more than 0, distances in elements.

//go:noescape
func block4AVX2(c, b, a *float32, inner, blocks, cs, bs, as int)

//go:noescape
func block1AVX2(c, b, a *float32, inner, blocks, as int)
