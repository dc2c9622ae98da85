package ops

import (
	"math"
	"sync"

	"wfs/formats/checkpoint"
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

// The formats are those of IEEE 754, of OCP's "8-bit Floating Point Specification" 1.0
// and "Microscaling Formats" 1.0, and of ml_dtypes' README for the fnuz variants.
var formats = map[checkpoint.DType]format{
	checkpoint.F16:        {16, 5, 10, 15, false, ieee},
	checkpoint.BF16:       {16, 8, 7, 127, false, ieee},
	checkpoint.F8E5M2:     {8, 5, 2, 15, false, ieee},
	checkpoint.F8E4M3:     {8, 4, 3, 7, false, finite},
	checkpoint.F8E4M3FNUZ: {8, 4, 3, 8, false, negZero},
	checkpoint.F8E5M2FNUZ: {8, 5, 2, 16, false, negZero},
	checkpoint.F8E8M0:     {8, 8, 0, 127, true, finite},
	checkpoint.F4:         {4, 2, 1, 1, false, onlyFloat},
}

// value decodes one bit pattern. A NaN keeps sign and payload, and is quiet.
func (f format) value(pattern uint32) float32 {
	ones := uint32(1)<<f.exponent - 1
	mantissa := pattern & (1<<f.mantissa - 1)
	exponent := pattern >> f.mantissa & ones
	sign := float64(1)
	if !f.unsigned && pattern>>(f.bits-1) != 0 {
		sign = -1
	}
	nan := math.Float32frombits(infinity | hidden>>1 | mantissa<<(23-f.mantissa))
	if sign < 0 && f.special != negZero {
		nan = math.Float32frombits(math.Float32bits(nan) | 1<<31)
	}
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

// The bits of a float32.
const (
	infinity = 0x7f800000
	hidden   = 1 << 23 // the mantissa's bit that is not stored
)

// round is the pattern of the number nearest to a float32 given by its bits, the even one
// of two that are as near. What lies beyond the largest number becomes an infinity, or that
// number where the format has none: torch saturates so since its pull request 178817.
// A NaN stays one and keeps its sign. Of 16 bits it keeps the upper end of its payload and
// becomes quiet, as VCVTPS2PH and ARM's FCVT have it; of 8 it is all ones, as torch has it
// (torch/headeronly/util/Float8_e5m2.h). The format has a sign, and is ieee or finite.
func (f format) round(b uint32) uint32 {
	sign, b := b>>31<<(f.bits-1), b&^(1<<31)
	largest := uint32(1)<<(f.bits-1) - 2 // of finite
	if f.special == ieee {
		largest = (1<<f.exponent - 1) << f.mantissa // infinity
	}
	drop := 23 - f.mantissa
	if b > infinity {
		if f.bits == 8 {
			return sign | 0x7f
		}
		return sign | largest | 1<<(f.mantissa-1) | b&(hidden-1)>>drop
	}
	rebias := uint32(127-f.bias) << 23
	if b >= rebias+hidden { // a normal number there too: a carry goes into the exponent
		b -= rebias
	} else { // count in steps of the smallest
		exponent := int(max(b>>23, 1))
		if b >= hidden {
			b = b&(hidden-1) | hidden
		}
		if drop += 127 - f.bias + 1 - exponent; drop > 25 {
			return sign
		}
	}
	return sign | min((b+1<<(drop-1)-1+b>>drop&1)>>drop, largest)
}

// tables holds, for each dtype of at most a byte, the float32 bits of every byte: one for
// each pattern, or two for F4, whose first element is in the low half
// (torch/headeronly/util/Float4_e2m1fn_x2.h).
var tables = sync.OnceValue(func() map[checkpoint.DType]*[256]uint64 {
	all := map[checkpoint.DType]*[256]uint64{}
	for d, f := range formats {
		if f.bits > 8 {
			continue
		}
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
