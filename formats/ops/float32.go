// Package ops computes tensors from tensors while they are read. Float32 widens the
// floating-point dtypes that NumPy has no name for, exactly: each of their values is a
// float32 too.
package ops

import (
	"encoding/binary"
	"math"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// format describes a small float: sign, exponent, mantissa, from the top.
type format struct {
	bits, exponent, mantissa int
	bias                     int
	unsigned                 bool // no sign bit
	special                  special
}

// special is what the bit patterns with the largest exponent stand for.
type special int

const (
	ieee      special = iota // infinities and NaNs
	finite                   // all ones is NaN, the rest are numbers ("fn")
	negZero                  // the pattern of -0 is the only NaN ("fnuz")
	onlyFloat                // no NaN and no infinity
)

// The formats are those of OCP's "8-bit Floating Point Specification" 1.0 and
// "Microscaling Formats" 1.0, and of ml_dtypes' README for the fnuz variants.
var formats = map[checkpoint.DType]format{
	checkpoint.F8E5M2:     {8, 5, 2, 15, false, ieee},
	checkpoint.F8E4M3:     {8, 4, 3, 7, false, finite},
	checkpoint.F8E4M3FNUZ: {8, 4, 3, 8, false, negZero},
	checkpoint.F8E5M2FNUZ: {8, 5, 2, 16, false, negZero},
	checkpoint.F8E8M0:     {8, 8, 0, 127, true, finite},
	checkpoint.F4:         {4, 2, 1, 1, false, onlyFloat},
}

// value decodes one bit pattern.
func (f format) value(pattern uint32) float32 {
	ones := uint32(1)<<f.exponent - 1
	mantissa := pattern & (1<<f.mantissa - 1)
	exponent := pattern >> f.mantissa & ones
	sign := float64(1)
	if !f.unsigned && pattern>>(f.bits-1) != 0 {
		sign = -1
	}
	nan := float32(math.NaN())
	switch {
	case f.special == ieee && exponent == ones && mantissa == 0:
		return float32(math.Inf(int(sign)))
	case f.special == ieee && exponent == ones:
		return nan
	case f.special == finite && exponent == ones && mantissa == 1<<f.mantissa-1:
		return nan
	case f.special == negZero && pattern == 1<<(f.bits-1):
		return nan
	case exponent == 0 && !f.unsigned:
		return float32(math.Copysign(math.Ldexp(float64(mantissa), 1-f.bias-f.mantissa), sign))
	}
	return float32(sign * math.Ldexp(float64(uint32(1)<<f.mantissa|mantissa), int(exponent)-f.bias-f.mantissa))
}

// tables holds, for each dtype, the float32 bits of every byte: one for each
// pattern, or two for F4, whose first element is in the low half
// (torch/headeronly/util/Float4_e2m1fn_x2.h).
var tables = sync.OnceValue(func() map[checkpoint.DType]*[256]uint64 {
	all := map[checkpoint.DType]*[256]uint64{}
	for d, f := range formats {
		table := new([256]uint64)
		for b := range uint32(256) {
			if f.bits == 4 {
				table[b] = uint64(math.Float32bits(f.value(b&15))) | uint64(math.Float32bits(f.value(b>>4)))<<32
			} else {
				table[b] = uint64(math.Float32bits(f.value(b)))
			}
		}
		all[d] = table
	}
	return all
})

// Float32 serves d's elements as little-endian float32. ok is false for a dtype
// that is not a float or that NumPy has a name for.
func Float32(from segment.Data, d checkpoint.DType) (data segment.Data, ok bool) {
	switch {
	case d == checkpoint.BF16:
		return &segment.Elementwise{From: from, In: 2, Out: 4, Apply: widenBF16}, true
	case formats[d].bits == 0:
		return nil, false
	}
	table := tables()[d]
	if formats[d].bits == 4 {
		return &segment.Elementwise{From: from, In: 1, Out: 8, Apply: func(dst, src []byte) {
			for i, b := range src {
				binary.LittleEndian.PutUint64(dst[8*i:], table[b])
			}
		}}, true
	}
	return &segment.Elementwise{From: from, In: 1, Out: 4, Apply: func(dst, src []byte) {
		for i, b := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(table[b]))
		}
	}}, true
}

// widenBF16 puts the bits of a bfloat16 into the upper half of a float32, four at a time.
func widenBF16(dst, src []byte) {
	for ; len(src) >= 8; src, dst = src[8:], dst[16:] {
		v := binary.LittleEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst, v<<16&0xffff0000|v>>16<<48)
		binary.LittleEndian.PutUint64(dst[8:], v>>16&0xffff0000|v>>48<<48)
	}
	for ; len(src) >= 2; src, dst = src[2:], dst[4:] {
		binary.LittleEndian.PutUint32(dst, uint32(binary.LittleEndian.Uint16(src))<<16)
	}
}

// Has reports whether Float32 widens d.
func Has(d checkpoint.DType) bool { return d == checkpoint.BF16 || formats[d].bits != 0 }
