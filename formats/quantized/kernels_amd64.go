package quantized

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

// fastScaled makes the numbers of as many codes as assembly can, and returns how many.
func fastScaled(dst []float32, codes []byte, values *[256]float32, scale, zero float32) int {
	n := min(len(dst), len(codes)) &^ 7
	if n == 0 || !hasAVX2 {
		return 0
	}
	scaled16AVX2(&dst[0], &codes[0], &values[0], scale, zero, n)
	return n
}

// fastUnpack4 splits as many bytes of src as assembly can, and returns how many.
func fastUnpack4(dst, src []byte, high bool) int {
	n := min(len(dst)/2, len(src)) &^ 15
	if n == 0 || !hasAVX2 {
		return 0
	}
	if high {
		unpack4HighAVX2(&dst[0], &src[0], n)
	} else {
		unpack4AVX2(&dst[0], &src[0], n)
	}
	return n
}

// fastHalves takes four bits, from bit shift on, of as many words of src as assembly can, and
// returns how many.
func fastHalves(dst, src []byte, shift int) int {
	n := min(len(dst), len(src)/4) &^ 31
	if n == 0 || !hasAVX2 {
		return 0
	}
	halvesAVX2(&dst[0], &src[0], n, shift)
	return n
}

//go:noescape
func scaled16AVX2(dst *float32, codes *byte, values *float32, scale, zero float32, n int)

//go:noescape
func unpack4AVX2(dst, src *byte, n int)

//go:noescape
func unpack4HighAVX2(dst, src *byte, n int)

//go:noescape
func halvesAVX2(dst, src *byte, n, shift int)
