package ops

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"wfs/formats/checkpoint"
)

// TestAddScaled compares assembly with Go, and both with the definition, at lengths that are
// no multiple of what a step takes.
func TestAddScaled(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, d := range []checkpoint.DType{checkpoint.F32, checkpoint.F16, checkpoint.BF16} {
		for n := range 300 {
			x, w := make([]float32, n), make([]float32, n)
			for i := range x {
				x[i], w[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
				switch rng.IntN(30) {
				case 0:
					x[i] = float32(math.Inf(1))
				case 1:
					w[i] = float32(math.NaN())
				case 2:
					x[i] *= 1e-40
				case 3:
					w[i] *= 1e30
				}
			}
			s := float32(rng.NormFloat64())
			dst := make([]byte, n*d.Bits()/8)
			Narrow(dst, append([]float32(nil), w...), d)
			twin, want, wide := bytes.Clone(dst), make([]byte, len(dst)), make([]float32, n)
			Widen(wide, dst, d)
			for i := range wide {
				wide[i] += float32(x[i] * s)
			}
			Narrow(want, wide, d)
			portable.adder(d)(twin, x, s)
			AddScaled(dst, x, s, d)
			if !sameButNaN(dst, want, d) || !sameButNaN(twin, want, d) {
				t.Fatalf("%s: %d elements differ:\n%x\n%x\n%x", d, n, dst, twin, want)
			}
		}
	}
}

// sameButNaN compares elements, all NaNs being one.
func sameButNaN(a, b []byte, d checkpoint.DType) bool {
	n := len(a) * 8 / d.Bits()
	x, y := make([]float32, n), make([]float32, n)
	Widen(x, a, d)
	Widen(y, b, d)
	for i := range x {
		if math.Float32bits(x[i]) != math.Float32bits(y[i]) && (x[i] == x[i] || y[i] == y[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// BenchmarkAddScaled adds to what stays in the cache: bytes are those of the elements.
func BenchmarkAddScaled(b *testing.B) {
	x := make([]float32, 4096)
	for _, d := range []checkpoint.DType{checkpoint.F32, checkpoint.F16, checkpoint.BF16} {
		dst := make([]byte, len(x)*d.Bits()/8)
		for name, k := range map[string]*kernels{"fast": &best, "go": &portable} {
			b.Run(d.String()+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(dst)))
				for b.Loop() {
					k.adder(d)(dst, x, 0.5)
				}
			})
		}
	}
}
