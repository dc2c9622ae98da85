package quantized

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// TestKernels compares assembly with the definition, for every length there is a path for, and
// looks at what lies past the end.
func TestKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var values [256]float32
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	values[3], values[9] = float32(math.Inf(1)), float32(math.Copysign(0, -1))
	for n := range 100 {
		codes := make([]byte, n)
		for i := range codes {
			codes[i] = byte(rng.IntN(16))
		}
		got := make([]float32, n+3)
		done := fastScaled(got[:n], codes, &values, 0.75, 3)
		multiply(got[done:n], codes[done:], &values, 0.75, 3)
		for i, c := range append(codes, 0, 0, 0) {
			want := float32(0)
			if i < n {
				want = (values[c] - 3) * 0.75
			}
			if math.Float32bits(got[i]) != math.Float32bits(want) {
				t.Fatalf("%d codes: number %d is %g, want %g", n, i, got[i], want)
			}
		}
		src := make([]byte, n+16)
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		for skip := range min(8, 2*n) {
			for _, high := range []bool{false, true} {
				out := make([]byte, 2*n-skip)
				unpack4(out, src, skip, high)
				var want []byte
				for _, b := range src[:n] {
					if high {
						want = append(want, b>>4, b&15)
					} else {
						want = append(want, b&15, b>>4)
					}
				}
				if !bytes.Equal(out, want[skip:]) {
					t.Fatalf("%d bytes without %d codes, high %v: % x, want % x", n, skip, high, out, want[skip:])
				}
			}
		}
		words := make([]byte, 4*n)
		for i := range words {
			words[i] = byte(rng.Uint32())
		}
		for place := range 8 {
			out := append(make([]byte, n), 0xee)
			half(out[:n], words, 4, int64(place))
			for i := range n {
				if want := byte(le.Uint32(words[4*i:]) >> (4 * place) & 15); out[i] != want {
					t.Fatalf("%d words, place %d: code %d is %d, want %d", n, place, i, out[i], want)
				}
			}
			if out[n] != 0xee {
				t.Fatalf("%d words: a byte past the end was written", n)
			}
		}
	}
}
