package ops

import (
	"encoding/binary"
	"math"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

func widen(t *testing.T, d checkpoint.DType, b []byte) []float32 {
	t.Helper()
	data, ok := Float32(segment.Literal(b), d)
	if !ok {
		t.Fatalf("%s has no float32 form", d)
	}
	out := make([]byte, data.Size())
	if n, err := data.ReadAt(out, 0); n < len(out) {
		t.Fatal(err)
	}
	values := make([]float32, len(out)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
	}
	return values
}

// Landmarks of each format, from the tables in its specification. Every pattern is
// compared with torch's own cast in integration/.
func TestLandmarks(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for d, cases := range map[checkpoint.DType]map[byte]float32{
		checkpoint.F8E5M2: {0x00: 0, 0x01: 1. / 65536, 0x3c: 1, 0x7b: 57344, 0x7c: inf, 0xfc: -inf, 0x7d: nan, 0xbc: -1},
		checkpoint.F8E4M3: {0x01: 1. / 512, 0x38: 1, 0x7e: 448, 0x7f: nan, 0xff: nan, 0xfe: -448},
		checkpoint.F8E8M0: {0x00: float32(math.Ldexp(1, -127)), 0x7f: 1, 0x80: 2, 0xfe: float32(math.Ldexp(1, 127)), 0xff: nan},

		checkpoint.F8E4M3FNUZ: {0x80: nan, 0x40: 1, 0x7f: 240, 0x01: 1. / 1024},
		checkpoint.F8E5M2FNUZ: {0x80: nan, 0x40: 1, 0x7f: 57344},
	} {
		for pattern, want := range cases {
			got := widen(t, d, []byte{pattern})[0]
			if got != want && !(got != got && want != want) {
				t.Errorf("%s %#02x: %g, want %g", d, pattern, got, want)
			}
		}
	}
	if got := widen(t, checkpoint.BF16, []byte{0x80, 0x3f, 0x49, 0xc0}); got[0] != 1 || got[1] != -3.140625 {
		t.Errorf("bfloat16: %v", got)
	}
	// The first of two elements of a byte is in its low half.
	if got := widen(t, checkpoint.F4, []byte{0x72, 0x9f}); got[0] != 1 || got[1] != 6 || got[2] != -6 || got[3] != -0.5 {
		t.Errorf("float4: %v", got)
	}
	if _, ok := Float32(segment.Literal(nil), checkpoint.I32); ok || Has(checkpoint.I32) {
		t.Error("an integer was widened")
	}
}
