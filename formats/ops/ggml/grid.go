package ggml

import mathbits "math/bits"

// The types whose codes name points of a grid: four or eight elements at once, by their
// magnitudes, and a sign for each. Eight elements of IQ1 have no signs but a shift.

// signsOf is the eight signs that seven bits stand for: the last of them makes their number
// even (ggml-common.h, ksigns_iq2xs).
func signsOf(seven uint32) uint32 {
	seven &= 127
	return seven | uint32(mathbits.OnesCount32(seven)&1)<<7
}

// eight are the elements of a point with two bits each, lowest first, of which signs negates
// those whose bit is set.
func eight(dst []byte, point uint16, signs uint32, t *[4]uint32) {
	dst = dst[:32]
	for i := range 8 {
		le.PutUint32(dst[4*i:], t[point>>(2*i)&3]^signs>>i<<31)
	}
}

// four are the elements of a point with four bits each.
func four(dst []byte, point uint16, signs uint32, t *[8]uint32) {
	dst = dst[:16]
	for i := range 4 {
		le.PutUint32(dst[4*i:], t[point>>(4*i)&7]^signs>>i<<31)
	}
}

// twos are the values of IQ2's points.
func twos(d float32) *[4]uint32 {
	return &[4]uint32{bits(d * 8), bits(d * 25), bits(d * 43)}
}

func iq2xxs(dst, b []byte) {
	d, grid := half(b), grids().iq2xxs
	for i := range 8 {
		indices, rest := b[2+8*i:6+8*i], le.Uint32(b[6+8*i:])
		t := twos(d * (0.5 + float32(rest>>28)) * 0.25)
		for j, index := range indices {
			eight(dst[128*i+32*j:], grid[index], signsOf(rest>>(7*j)), t)
		}
	}
}

func iq2xs(dst, b []byte) {
	d, grid, scales := half(b), grids().iq2xs, b[66:74]
	for i := range 16 {
		t := twos(d * (0.5 + float32(scales[i/2]>>(4*(i%2))&15)) * 0.25)
		for j := range 2 {
			q := le.Uint16(b[2+4*i+2*j:])
			eight(dst[64*i+32*j:], grid[q&511], signsOf(uint32(q>>9)), t)
		}
	}
}

func iq2s(dst, b []byte) {
	d, grid, indices, signs, high, scales := half(b), grids().iq2s, b[2:34], b[34:66], b[66:74], b[74:82]
	for i := range 16 {
		t := twos(d * (0.5 + float32(scales[i/2]>>(4*(i%2))&15)) * 0.25)
		for j := 2 * i; j < 2*i+2; j++ {
			index := uint16(indices[j]) | uint16(high[j/4]>>(2*(j%4))&3)<<8
			eight(dst[32*j:], grid[index], uint32(signs[j]), t)
		}
	}
}

func iq3xxs(dst, b []byte) {
	d, grid, indices := half(b), grids().iq3xxs, b[2:66]
	for i := range 8 {
		rest := le.Uint32(b[66+4*i:])
		var t [8]uint32
		for q, m := range [8]float32{4, 12, 20, 28, 36, 44, 52, 62} {
			t[q] = bits(d * (0.5 + float32(rest>>28)) * 0.5 * m)
		}
		for j := range 4 {
			signs := signsOf(rest >> (7 * j))
			at := 8*i + 2*j
			four(dst[16*at:], grid[indices[at]], signs, &t)
			four(dst[16*at+16:], grid[indices[at+1]], signs>>4, &t)
		}
	}
}

func iq3s(dst, b []byte) {
	d, grid, indices, high, signs, scales := half(b), grids().iq3s, b[2:66], b[66:74], b[74:106], b[106:110]
	for i := range 8 {
		scale := d * float32(1+2*(scales[i/2]>>(4*(i%2))&15))
		var t [8]uint32
		for q := range t {
			t[q] = bits(scale * float32(1+2*q))
		}
		for j := 8 * i; j < 8*i+8; j++ {
			index := uint16(indices[j]) | uint16(high[i]>>(j%8)&1)<<8
			four(dst[16*j:], grid[index], uint32(signs[j/2]>>(4*(j%2))), &t)
		}
	}
}

// shifted are the values of IQ1's points: -1, 0 and 1, an eighth more or less.
func shifted(scale float32, down bool) *[4]uint32 {
	delta := float32(0.125)
	if down {
		delta = -delta
	}
	return &[4]uint32{bits(scale * (-1 + delta)), bits(scale * delta), bits(scale * (1 + delta))}
}

func iq1s(dst, b []byte) {
	d, grid, indices := half(b), grids().iq1, b[2:34]
	for i := range 8 {
		high := le.Uint16(b[34+2*i:])
		t := shifted(d*float32(2*(high>>12&7)+1), high>>15 != 0)
		for j := range 4 {
			eight(dst[128*i+32*j:], grid[uint16(indices[4*i+j])|high>>(3*j)&7<<8], 0, t)
		}
	}
}

// iq1m has its scale in pieces of four bits, above the smaller scales.
func iq1m(dst, b []byte) {
	grid, indices, high := grids().iq1, b[:32], b[32:48]
	var scales [4]uint16
	for i := range scales {
		scales[i] = le.Uint16(b[48+2*i:])
	}
	d := halfOf(scales[0]>>12 | scales[1]>>12<<4 | scales[2]>>12<<8 | scales[3]>>12<<12)
	for i := range 16 {
		scale := d * float32(2*(scales[i/4]>>(3*(i%4))&7)+1)
		for j := range 2 {
			q := high[i] >> (4 * j)
			eight(dst[64*i+32*j:], grid[uint16(indices[2*i+j])|uint16(q&7)<<8], 0, shifted(scale, q&8 != 0))
		}
	}
}
