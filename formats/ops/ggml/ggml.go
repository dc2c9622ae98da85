// Package ggml turns the block types of ggml into float32. A block is a run of elements that
// share scales: 32 of Q4_0 in 18 bytes, 256 of Q4_K in 144. What each byte means is in
// ggml/src/ggml-common.h and ggml-quants.c of llama.cpp; the values are, bit for bit, those of
// gguf.dequantize (gguf-py/gguf/quants.py). Q1_0 and Q2_0, which that does not know, are as in
// ggml-quants.c.
//
// Most types have so few different values in a run of 16 or 32 elements that all of them are
// computed first, and looked up for each element. A product of scale, sub-scale and code has
// 24 bits at most and is exact, so that only the last sum or difference rounds: it does not
// matter whether a processor fuses it with the product.
package ggml

import (
	"encoding/binary"
	"math"

	"wfs/formats/checkpoint"
)

var le = binary.LittleEndian

// block decodes one block: b is its bytes, and dst has four for each of its elements.
type block func(dst, b []byte)

// Kernel is a function that decodes whole blocks of a type into little-endian float32, which
// dst has room for. It is nil for a dtype that has no blocks.
func Kernel(d checkpoint.DType) func(dst, src []byte) {
	one := of(d)
	if one == nil {
		return nil
	}
	elements, bytes := d.Block()
	in, out := int(bytes), 4*int(elements)
	return func(dst, src []byte) {
		for ; len(src) >= in; dst, src = dst[out:], src[in:] {
			one(dst[:out:out], src[:in:in])
		}
	}
}

func of(d checkpoint.DType) block {
	switch d {
	case checkpoint.Q40:
		return q40
	case checkpoint.Q41:
		return q41
	case checkpoint.Q50:
		return q50
	case checkpoint.Q51:
		return q51
	case checkpoint.Q80:
		return q80
	case checkpoint.Q2K:
		return q2k
	case checkpoint.Q3K:
		return q3k
	case checkpoint.Q4K:
		return q4k
	case checkpoint.Q5K:
		return q5k
	case checkpoint.Q6K:
		return q6k
	case checkpoint.IQ2XXS:
		return iq2xxs
	case checkpoint.IQ2XS:
		return iq2xs
	case checkpoint.IQ2S:
		return iq2s
	case checkpoint.IQ3XXS:
		return iq3xxs
	case checkpoint.IQ3S:
		return iq3s
	case checkpoint.IQ1S:
		return iq1s
	case checkpoint.IQ1M:
		return iq1m
	case checkpoint.IQ4NL:
		return iq4nl
	case checkpoint.IQ4XS:
		return iq4xs
	case checkpoint.TQ10:
		return tq10
	case checkpoint.TQ20:
		return tq20
	case checkpoint.MXFP4:
		return mxfp4
	case checkpoint.NVFP4:
		return nvfp4
	case checkpoint.Q10:
		return q10
	case checkpoint.Q20:
		return q20
	}
	return nil
}

// half is the number of the two bytes of a float16.
func half(b []byte) float32 { return halfOf(le.Uint16(b)) }

func halfOf(h uint16) float32 {
	const infinity = 0x7c00
	magnitude := h &^ (1 << 15)
	f := math.Float32frombits(uint32(magnitude)<<13) * 0x1p112 // the bias of the exponent is 127 for 15
	if magnitude >= infinity {
		f = math.Float32frombits(0x7f800000 | uint32(magnitude&(infinity-1))<<13)
	}
	return math.Float32frombits(math.Float32bits(f) | uint32(h>>15)<<31)
}

// bits are those that a number has in memory.
func bits(v float32) uint32 { return math.Float32bits(v) }

// scaled is the bits of d times each code.
func scaled(d float32, codes *[16]float32) (t [16]uint32) {
	for i, c := range codes {
		t[i] = bits(d * c)
	}
	return t
}

// nibbles looks up the lower halves of the bytes qs in low, then the upper ones in high.
func nibbles(dst, qs []byte, low, high *[16]uint32) {
	upper := dst[4*len(qs):]
	upper = upper[:4*len(qs)]
	dst = dst[:4*len(qs)]
	for ; len(qs) >= 2 && len(dst) >= 8 && len(upper) >= 8; qs, dst, upper = qs[2:], dst[8:], upper[8:] {
		a, b := qs[0], qs[1]
		le.PutUint64(dst, uint64(low[a&15])|uint64(low[b&15])<<32)
		le.PutUint64(upper, uint64(high[a>>4])|uint64(high[b>>4])<<32)
	}
}
