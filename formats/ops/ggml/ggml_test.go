package ggml

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"wfs/formats/checkpoint"
)

// TestBlocks decodes blocks of every type, of which gguf.dequantize made the expected sums
// (testdata/make.py). Millions of others are compared in integration/formats.
func TestBlocks(t *testing.T) {
	text, err := os.ReadFile("testdata/blocks.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Type   string
		Blocks []byte
		SHA256 string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	expected := map[string]bool{}
	for _, c := range cases {
		expected[c.Type] = true
		d := named(c.Type)
		elements, bytes := d.Block()
		dst := make([]byte, len(c.Blocks)/int(bytes)*int(elements)*4)
		Kernel(d)(dst, c.Blocks)
		if sum := sha256.Sum256(dst); hex.EncodeToString(sum[:]) != c.SHA256 {
			t.Errorf("%s has other values", c.Type)
		}
	}
	for d := range checkpoint.DTypes() {
		if d == checkpoint.Q10 || d == checkpoint.Q20 { // TestNewest
			continue
		}
		if elements, _ := d.Block(); (elements > 4) != expected[d.String()] || expected[d.String()] != (Kernel(d) != nil) {
			t.Errorf("%s: blocks of %d, expected values %v, a kernel %v", d, elements, expected[d.String()], Kernel(d) != nil)
		}
	}
}

// TestNewest decodes the types that gguf.dequantize does not know, by what ggml-quants.c says.
func TestNewest(t *testing.T) {
	for _, c := range []struct {
		dtype checkpoint.DType
		// block is a scale of 1.5, and codes of which the last are special.
		block []byte
		first []float32
		last  float32
	}{
		{checkpoint.Q10, append([]byte{0, 0x3e, 0b10110001}, make([]byte, 15)...), []float32{1.5, -1.5, -1.5, -1.5, 1.5, 1.5, -1.5, 1.5, -1.5}, -1.5},
		{checkpoint.Q20, append(append([]byte{0, 0x3e, 0b11100100}, make([]byte, 14)...), 0b10000000), []float32{-1.5, 0, 1.5, 3, -1.5}, 1.5},
	} {
		elements, bytes := c.dtype.Block()
		dst := make([]byte, 4*elements)
		if int64(len(c.block)) != bytes {
			t.Fatalf("a block of %d bytes", len(c.block))
		}
		Kernel(c.dtype)(dst, c.block)
		for i, want := range append(c.first, c.last) {
			at := 4 * i
			if i == len(c.first) {
				at = len(dst) - 4
			}
			if got := math.Float32frombits(le.Uint32(dst[at:])); got != want {
				t.Errorf("%s: element %d is %v, want %v", c.dtype, at/4, got, want)
			}
		}
	}
}

func named(name string) checkpoint.DType {
	for d := range checkpoint.DTypes() {
		if d.String() == name {
			return d
		}
	}
	return checkpoint.Invalid
}

// TestHalf compares the half with that of IEEE 754, all of them.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		exponent, mantissa := h>>10&31, float64(h&1023)
		want := math.Ldexp(1024+mantissa, exponent-25)
		switch {
		case exponent == 0:
			want = math.Ldexp(mantissa, -24)
		case exponent == 31 && mantissa != 0:
			want = math.NaN()
		case exponent == 31:
			want = math.Inf(1)
		}
		if h>>15 != 0 {
			want = math.Copysign(want, -1)
		}
		got := halfOf(uint16(h))
		if math.Float32bits(got) != math.Float32bits(float32(want)) && !(math.IsNaN(want) && got != got) {
			t.Fatalf("%#x is %v, want %v", h, got, want)
		}
	}
}

// BenchmarkKernel says what a core makes of blocks, in bytes of float32.
func BenchmarkKernel(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for d := range checkpoint.DTypes() {
		kernel := Kernel(d)
		if kernel == nil {
			continue
		}
		b.Run(d.String(), func(b *testing.B) {
			elements, bytes := d.Block()
			n := 64 << 10 / elements
			src, dst := make([]byte, n*bytes), make([]byte, 4*n*elements)
			for i := range src {
				src[i] = byte(rng.Uint32())
			}
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				kernel(dst, src)
			}
		})
	}
}
