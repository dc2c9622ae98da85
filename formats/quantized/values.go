package quantized

import (
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
)

// counting is the numbers 0 … n−1 less an offset, which codes stand for.
func counting(n, less int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i - less)
	}
	return values
}

// signed is what bytes stand for as int8.
func signed() []float32 {
	values := make([]float32, 256)
	for i := range values {
		values[i] = float32(int8(i))
	}
	return values
}

// small is what all patterns of a dtype of four or eight bits stand for.
func small(d checkpoint.DType) []float32 {
	patterns := 1 << d.Bits()
	src := make([]byte, patterns)
	for i := range src {
		src[i] = byte(i)
	}
	elements, _ := d.Block()
	wide := make([]float32, int64(patterns)*elements) // of F4 both halves of a byte, the lower first
	ops.Widen(wide, src, d)
	values := make([]float32, patterns)
	for i := range values {
		values[i] = wide[i*int(elements)]
	}
	return values
}

// halves are the dtypes that scales are stored in.
var halves = []checkpoint.DType{checkpoint.F16, checkpoint.BF16, checkpoint.F32}

// exponents are the powers of two that bytes stand for in MX formats: 2^(b−127), of which
// the largest is infinite (transformers/integrations/finegrained_fp8.py, Fp8Dequantize).
func exponents() *[256]float32 {
	values := new([256]float32)
	for b := range values {
		values[b] = float32(math.Ldexp(1, b-127))
	}
	return values
}

// toBF16 rounds to bfloat16.
func toBF16(v float32) float32 {
	var narrow [2]byte
	wide := []float32{v}
	ops.Narrow(narrow[:], wide, checkpoint.BF16)
	ops.Widen(wide, narrow[:], checkpoint.BF16)
	return wide[0]
}
