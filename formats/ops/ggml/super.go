package ggml

// The types of 256 elements: a scale for all, and for each 16 or 32 of them a smaller scale
// in a few bits. Of a byte of codes the lowest bits are of the first 32 elements.

func q2k(dst, b []byte) {
	scales, codes, d, dmin := b[:16], b[16:80], half(b[80:]), half(b[82:])
	for i, s := range scales {
		scale, offset := d*float32(s&15), dmin*float32(s>>4)
		t := [4]uint32{bits(scale*0 - offset), bits(scale - offset), bits(scale*2 - offset), bits(scale*3 - offset)}
		shift := 2 * (i / 2 % 4)
		for j, q := range codes[32*(i/8)+16*(i%2):][:16] {
			le.PutUint32(dst[64*i+4*j:], t[q>>shift&3])
		}
	}
}

func q3k(dst, b []byte) {
	mask, codes, packed, d := b[:32], b[32:96], b[96:108], half(b[108:])
	for i := range 16 {
		s := packed[i%8]>>(4*(i/8))&15 | packed[8+i%4]>>(2*(i/4))&3<<4
		scale := d * float32(int8(s)-32)
		var t [8]uint32 // the highest bit of a code is the mask's
		for q := range t {
			t[q] = bits(scale * float32(q-4))
		}
		shift, bit := 2*(i/2%4), i/2
		high := mask[16*(i%2):][:16]
		for j, q := range codes[32*(i/8)+16*(i%2):][:16] {
			le.PutUint32(dst[64*i+4*j:], t[q>>shift&3|high[j]>>bit&1<<2])
		}
	}
}

// scaleMin is scale and offset i of Q4_K and Q5_K, six bits each.
func scaleMin(packed []byte, i int) (scale, offset float32) {
	if i < 4 {
		return float32(packed[i] & 63), float32(packed[i+4] & 63)
	}
	return float32(packed[i+4]&15 | packed[i-4]>>6<<4), float32(packed[i+4]>>4 | packed[i]>>6<<4)
}

func q4k(dst, b []byte) {
	d, dmin, packed := half(b), half(b[2:]), b[4:16]
	var t [2][16]uint32
	for i := range 4 {
		for j := range 2 {
			s, m := scaleMin(packed, 2*i+j)
			scale, offset := d*s, dmin*m
			for q := range 16 {
				t[j][q] = bits(scale*float32(q) - offset)
			}
		}
		nibbles(dst[256*i:], b[16+32*i:48+32*i], &t[0], &t[1])
	}
}

func q5k(dst, b []byte) {
	d, dmin, packed, high := half(b), half(b[2:]), b[4:16], b[16:48]
	for i := range 8 {
		s, m := scaleMin(packed, i)
		scale, offset := d*s, dmin*m
		shift := 4 * (i % 2)
		to := dst[128*i:][:128]
		for j, q := range b[48+32*(i/2):][:32] {
			le.PutUint32(to[4*j:], bits(scale*float32(int32(q>>shift&15|high[j]>>i&1<<4))-offset))
		}
	}
}

func q6k(dst, b []byte) {
	low, high, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for i := range 16 {
		scale := d * float32(int8(scales[i]))
		shift, shiftHigh := 4*(i/4%2), 2*(i/2%4)
		up := high[32*(i/8)+16*(i%2):][:16]
		to := dst[64*i:][:64]
		for j, q := range low[64*(i/8)+32*(i/2%2)+16*(i%2):][:16] {
			le.PutUint32(to[4*j:], bits(scale*float32(int32(q>>shift&15|up[j]>>shiftHigh&3<<4)-32)))
		}
	}
}

func iq4xs(dst, b []byte) {
	d, high, low := half(b), le.Uint16(b[2:]), b[4:8]
	for i := range 8 {
		s := low[i/2]>>(4*(i%2))&15 | byte(high>>(2*i)&3)<<4
		t := scaled(d*float32(int8(s)-32), &nonlinear)
		nibbles(dst[128*i:], b[8+16*i:24+16*i], &t, &t)
	}
}

// tq10 has five digits of three values in a byte, a fraction of 256: times three, the next
// digit is what is carried.
func tq10(dst, b []byte) {
	d := half(b[52:])
	t := [3]uint32{bits(-d), bits(d * 0), bits(d)}
	at := 0
	for _, run := range []struct {
		bytes  []byte
		digits int
	}{{b[:32], 5}, {b[32:48], 5}, {b[48:52], 4}} {
		power := byte(1)
		for range run.digits {
			for _, q := range run.bytes {
				le.PutUint32(dst[at:], t[uint16(q*power)*3>>8])
				at += 4
			}
			power *= 3
		}
	}
}

func tq20(dst, b []byte) {
	d := half(b[64:])
	t := [4]uint32{bits(-d), bits(d * 0), bits(d), bits(d * 2)}
	for i := range 8 {
		shift := 2 * (i % 4)
		for j, q := range b[32*(i/4):][:32] {
			le.PutUint32(dst[128*i+4*j:], t[q>>shift&3])
		}
	}
}
