package ops

import (
	"encoding/binary"
	"math"

	"wfs/formats/checkpoint"
)

var le = binary.LittleEndian

// portable is every kernel in Go.
var portable = kernels{
	fromF64: fromF64, fromF16: fromF16, fromBF16: fromBF16,
	toF16: narrowing(checkpoint.F16), toBF16: toBF16, toE4M3: narrowing(checkpoint.F8E4M3), toE5M2: narrowing(checkpoint.F8E5M2),
	block: block, sums: addProducts, arithmetic: inGo,
	addF32: addF32, addF16: adding(fromF16, narrowing(checkpoint.F16)), addBF16: adding(fromBF16, toBF16),
}

// tabled looks up each byte, of one element or of two.
func tabled(d checkpoint.DType) kernel {
	if formats[d].bits == 4 {
		return func(dst, src []byte) {
			table := tables()[d]
			for i, b := range src {
				le.PutUint64(dst[8*i:], table[b])
			}
		}
	}
	return func(dst, src []byte) {
		table := tables()[d]
		for ; len(src) >= 4 && len(dst) >= 16; src, dst = src[4:], dst[16:] {
			le.PutUint64(dst, table[src[0]]|table[src[1]]<<32)
			le.PutUint64(dst[8:], table[src[2]]|table[src[3]]<<32)
		}
		for i, b := range src {
			le.PutUint32(dst[4*i:], uint32(table[b]))
		}
	}
}

// fromBF16 puts the bits of a bfloat16 into the upper half of a float32, four at a time.
func fromBF16(dst, src []byte) {
	for ; len(src) >= 8; src, dst = src[8:], dst[16:] {
		v := le.Uint64(src)
		le.PutUint64(dst, v<<16&0xffff0000|v>>16<<48)
		le.PutUint64(dst[8:], v>>16&0xffff0000|v>>48<<48)
	}
	for ; len(src) >= 2; src, dst = src[2:], dst[4:] {
		le.PutUint32(dst, uint32(le.Uint16(src))<<16)
	}
}

func fromF16(dst, src []byte) {
	for ; len(src) >= 2; src, dst = src[2:], dst[4:] {
		h := uint32(le.Uint16(src))
		sign, b := h>>15<<31, h&0x7fff
		switch {
		case b > 0x7c00: // NaN
			b = b<<13 | infinity | hidden>>1
		case b == 0x7c00:
			b = infinity
		case b < 0x0400:
			b = math.Float32bits(float32(b) * 0x1p-24)
		default:
			b = b<<13 + (127-15)<<23
		}
		le.PutUint32(dst, sign|b)
	}
}

// fromF64 rounds as the processor does, save that a NaN's bits are the same on all of them.
func fromF64(dst, src []byte) {
	for ; len(src) >= 8; src, dst = src[8:], dst[4:] {
		b := le.Uint64(src)
		v := math.Float32bits(float32(math.Float64frombits(b)))
		if b<<1 > 0x7ff<<53 {
			v = uint32(b>>63)<<31 | infinity | hidden>>1 | uint32(b>>29)&(hidden-1)
		}
		le.PutUint32(dst, v)
	}
}

func toBF16(dst, src []byte) {
	for ; len(src) >= 4; src, dst = src[4:], dst[2:] {
		b := le.Uint32(src)
		if b<<1 > infinity<<1 {
			b |= hidden >> 1
		} else {
			b += 0x7fff + b>>16&1
		}
		le.PutUint16(dst, uint16(b>>16))
	}
}

// narrowing rounds to a format of 8 or 16 bits.
func narrowing(d checkpoint.DType) kernel {
	f := formats[d]
	// Most numbers are normal ones in both formats, and need none of the cases of round.
	smallest, drop := uint32(128-f.bias)<<23, 23-f.mantissa
	most, rebias, half := uint32(1<<f.exponent-3)<<23, uint32(127-f.bias)<<23, uint32(1)<<(drop-1)-1
	round := func(b uint32) uint32 {
		if a := b &^ (1 << 31); a-smallest < most {
			return b>>31<<(f.bits-1) | (a-rebias+half+a>>drop&1)>>drop
		}
		return f.round(b)
	}
	if f.bits == 8 {
		return func(dst, src []byte) {
			for i := range len(src) / 4 {
				dst[i] = byte(round(le.Uint32(src[4*i:])))
			}
		}
	}
	return func(dst, src []byte) {
		for i := range len(src) / 4 {
			le.PutUint16(dst[2*i:], uint16(round(le.Uint32(src[4*i:]))))
		}
	}
}
