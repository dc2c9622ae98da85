package ggml

import "math"

// The types with one scale for all elements of a block, mostly 32: in some an offset, and a
// code for each element.

var (
	// centered are the codes of Q4_0.
	centered = [16]float32{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}
	// nonlinear are those of IQ4_NL (ggml-common.h, kvalues_iq4nl).
	nonlinear = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	// e2m1 are twice the numbers of float4_e2m1 (ggml-common.h, kvalues_mxfp4): it has no -0.
	e2m1 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}
)

func q40(dst, b []byte) {
	t := scaled(half(b), &centered)
	nibbles(dst, b[2:18], &t, &t)
}

func q41(dst, b []byte) {
	d, m := half(b), half(b[2:])
	var t [16]uint32
	for q := range t {
		t[q] = bits(d*float32(q) + m)
	}
	nibbles(dst, b[4:20], &t, &t)
}

func q50(dst, b []byte) {
	d, high := half(b), le.Uint32(b[2:])
	for i, q := range b[6:22] {
		low, up := int32(q&15)|int32(high>>i&1)<<4, int32(q>>4)|int32(high>>(i+16)&1)<<4
		le.PutUint32(dst[4*i:], bits(d*float32(low-16)))
		le.PutUint32(dst[4*i+64:], bits(d*float32(up-16)))
	}
}

func q51(dst, b []byte) {
	d, m, high := half(b), half(b[2:]), le.Uint32(b[4:])
	for i, q := range b[8:24] {
		low, up := int32(q&15)|int32(high>>i&1)<<4, int32(q>>4)|int32(high>>(i+16)&1)<<4
		le.PutUint32(dst[4*i:], bits(d*float32(low)+m))
		le.PutUint32(dst[4*i+64:], bits(d*float32(up)+m))
	}
}

func q80(dst, b []byte) {
	d := half(b)
	dst = dst[:128]
	for i, q := range b[2:34] {
		le.PutUint32(dst[4*i:], bits(d*float32(int8(q))))
	}
}

func iq4nl(dst, b []byte) {
	t := scaled(half(b), &nonlinear)
	nibbles(dst, b[2:18], &t, &t)
}

// mxfp4 has a scale of eight bits of exponent, of which a half is taken, for its codes are
// doubled (ggml-impl.h, ggml_e8m0_to_fp32_half).
func mxfp4(dst, b []byte) {
	e := uint32(b[0])
	scale := (e - 1) << 23
	if e < 2 { // it has no room for another exponent
		scale = 1 << 21 << e
	}
	t := scaled(math.Float32frombits(scale), &e2m1)
	nibbles(dst, b[1:17], &t, &t)
}

// nvfp4 is four runs of 16, each with a scale of float8_e4m3 without a sign.
func nvfp4(dst, b []byte) {
	for i, scale := range b[:4] {
		t := scaled(e4m3Half(scale), &e2m1)
		nibbles(dst[64*i:], b[4+8*i:12+8*i], &t, &t)
	}
}

// e4m3Half is half of a number, in which the highest bit means nothing.
func e4m3Half(x byte) float32 {
	exponent, mantissa := x>>3&15, float32(x&7)
	switch {
	case x == 0x7f: // its NaN
		return 0
	case exponent == 0:
		return mantissa * 0x1p-10
	}
	return (8 + mantissa) * math.Float32frombits((uint32(exponent)+127-7-3-1)<<23)
}

// q10 has a bit for the sign of each of 128 elements.
func q10(dst, b []byte) {
	d := bits(half(b))
	for i, q := range b[2:18] {
		to := dst[32*i:][:32]
		for j := range 8 {
			le.PutUint32(to[4*j:], d^uint32(^q>>j&1)<<31)
		}
	}
}

// q20 has two bits for each of 64 elements, which lie one after the other.
func q20(dst, b []byte) {
	d := half(b)
	t := [4]uint32{bits(-d), bits(d * 0), bits(d), bits(d * 2)}
	for i, q := range b[2:18] {
		to := dst[16*i:][:16]
		for j := range 4 {
			le.PutUint32(to[4*j:], t[q>>(2*j)&3])
		}
	}
}
