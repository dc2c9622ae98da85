package ops

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestFMA compares with arbitrary precision, for numbers whose sum is near a tie as often as not.
func TestFMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	number := func() float32 {
		switch rng.IntN(4) {
		case 0:
			return math.Float32frombits(rng.Uint32())
		case 1:
			return math.Float32frombits(rng.Uint32()&0x80ffffff | 0x3f000000)
		case 2: // few bits, so that products have few and ties are common
			return float32(rng.IntN(1<<13)-1<<12) * float32(math.Ldexp(1, rng.IntN(40)-20))
		}
		return float32(math.Ldexp(rng.Float64()-0.5, rng.IntN(300)-160))
	}
	for range 1_000_000 {
		x, y, z := number(), number(), number()
		if rng.IntN(2) == 0 { // a sum that is a tie, or nearly one
			z = float32(math.Ldexp(float64(x)*float64(y), []int{24, 25, -24, -1, 0, 1}[rng.IntN(6)]))
		}
		got := fma32(x, y, z)
		if p := float64(x)*float64(y) + float64(z); math.IsNaN(p) || math.IsInf(p, 0) {
			if float64(got) != p && !(math.IsNaN(p) && got != got) {
				t.Fatalf("%g*%g + %g = %g, want %g", x, y, z, got, p)
			}
			continue
		}
		exact := new(big.Float).SetPrec(2000).SetFloat64(float64(x) * float64(y))
		want, _ := exact.Add(exact, big.NewFloat(float64(z))).Float32()
		if got != want {
			t.Fatalf("%g*%g + %g = %g, want %g", x, y, z, got, want)
		}
	}
}

func matrix(rng *rand.Rand, rows, cols, gap int) Matrix {
	m := Matrix{make([]float32, rows*(cols+gap)), rows, cols, cols + gap}
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	return m
}

// TestMulAdd compares assembly with Go, bit for bit, and both with the definition.
func TestMulAdd(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		rows, inner, cols := rng.IntN(12), rng.IntN(20), rng.IntN(150)
		if rng.IntN(20) == 0 {
			inner = 600
		}
		c, b, a := matrix(rng, rows, cols, rng.IntN(3)), matrix(rng, rows, inner, rng.IntN(3)), matrix(rng, inner, cols, rng.IntN(3))
		want, twin := c, c
		want.Data, twin.Data = append([]float32(nil), c.Data...), append([]float32(nil), c.Data...)
		for i := range rows {
			for j := range cols {
				at := &want.Data[i*c.Stride+j]
				for k := range inner {
					*at = fma32(b.Data[i*b.Stride+k], a.Data[k*a.Stride+j], *at)
				}
			}
		}
		portable.mulAdd(twin, b, a)
		MulAdd(c, b, a)
		for i := range want.Data {
			if c.Data[i] != want.Data[i] || twin.Data[i] != want.Data[i] {
				t.Fatalf("%d × %d × %d: element %d is %g, of the twin %g, want %g", rows, inner, cols, i, c.Data[i], twin.Data[i], want.Data[i])
			}
		}
	}
}

// TestMulAddRefuses multiplies what does not fit.
func TestMulAddRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	good := matrix(rng, 4, 4, 0)
	for i, m := range []Matrix{{good.Data, 5, 4, 4}, {good.Data, 4, 4, 3}, {good.Data, 4, 5, 5}, {good.Data, -1, 4, 4}, {good.Data[:15], 4, 4, 4}} {
		for _, args := range [][3]Matrix{{m, good, good}, {good, m, good}, {good, good, m}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("matrix %d was taken", i)
					}
				}()
				MulAdd(args[0], args[1], args[2])
			}()
		}
	}
}

// BenchmarkMulAdd adds LoRAs of several ranks to 64 rows of 4096: bytes are those of a bfloat16 result.
func BenchmarkMulAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, rank := range []int{8, 16, 64, 192} {
		c, up, down := matrix(rng, 64, 4096, 0), matrix(rng, 64, rank, 0), matrix(rng, rank, 4096, 0)
		for name, k := range map[string]*kernels{"fast": &best, "go": &portable} {
			b.Run(fmt.Sprintf("%d/%s", rank, name), func(b *testing.B) {
				b.SetBytes(64 * 4096 * 2)
				for b.Loop() {
					k.mulAdd(c, up, down)
				}
				b.ReportMetric(2*64*4096*float64(rank)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
