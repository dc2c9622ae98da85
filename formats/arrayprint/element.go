package arrayprint

import (
	"encoding/binary"
	"fmt"
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// form is how the elements of a dtype are decoded and written.
type form int

const (
	boolean form = iota
	signed
	unsigned
	real
	complexOf
)

// reader decodes the elements of a tensor.
type reader struct {
	form
	data  segment.Data
	bytes int64 // of an element
	// bits is the precision that a float, or each half of a complex number, is printed with.
	bits int
	part int64 // bytes of each half of a complex number
}

// element is one value: a boolean or an integer in bits, or a float, or two.
type element struct {
	bits   uint64
	re, im float64
}

func newReader(t *checkpoint.Tensor) (reader, error) {
	r := reader{data: t.Data, bits: 32}
	if t.DType.NumPy() == "" && ops.Casts(t.DType, checkpoint.F32) {
		wide, err := ops.Cast(t.Data, t.DType, checkpoint.F32)
		r.form, r.data, r.bytes = real, wide, 4
		return r, err
	}
	elements, bytes := t.DType.Block()
	r.bytes = bytes
	switch d := t.DType; d {
	case checkpoint.BOOL:
		r.form = boolean
	case checkpoint.I8, checkpoint.I16, checkpoint.I32, checkpoint.I64:
		r.form = signed
	case checkpoint.U8, checkpoint.U16, checkpoint.U32, checkpoint.U64:
		r.form = unsigned
	case checkpoint.F16, checkpoint.F32, checkpoint.F64:
		r.form, r.bits = real, int(8*bytes)
	case checkpoint.C64, checkpoint.C128:
		r.form, r.bits, r.part = complexOf, int(4*bytes), bytes/2
	case checkpoint.C32:
		r.form, r.part = complexOf, 2
	default:
		return r, fmt.Errorf("elements of %s cannot be printed", d)
	}
	if elements != 1 {
		return r, fmt.Errorf("elements of %s cannot be printed", t.DType)
	}
	return r, nil
}

// decode is the element that b holds.
func (r reader) decode(b []byte) element {
	switch r.form {
	case real:
		return element{re: float(b)}
	case complexOf:
		return element{re: float(b[:r.part]), im: float(b[r.part:])}
	}
	var e element
	for i, c := range b {
		e.bits |= uint64(c) << (8 * i)
	}
	if shift := 64 - 8*len(b); r.form == signed {
		e.bits = uint64(int64(e.bits<<shift) >> shift)
	}
	return e
}

// float is a half, single or double.
func float(b []byte) float64 {
	switch len(b) {
	case 2:
		return half(binary.LittleEndian.Uint16(b))
	case 4:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// half is an IEEE 754 binary16.
func half(b uint16) float64 {
	exponent, fraction := int(b>>10&0x1f), float64(b&0x3ff)
	v := math.Ldexp(1+fraction/1024, exponent-15)
	switch {
	case exponent == 31 && fraction == 0:
		v = math.Inf(1)
	case exponent == 31:
		v = math.NaN()
	case exponent == 0:
		v = math.Ldexp(fraction, -24)
	}
	if b>>15 != 0 {
		v = math.Copysign(v, -1)
	}
	return v
}

// toHalf rounds to a binary16, ties to even; what is too large is an infinity.
func toHalf(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	_, exponent := math.Frexp(v) // v is in [2^(exponent-1), 2^exponent)
	unit := max(exponent-11, -24)
	v = math.Ldexp(math.RoundToEven(math.Ldexp(v, -unit)), unit)
	if math.Abs(v) > 65504 {
		return math.Inf(int(math.Copysign(1, v)))
	}
	return v
}

// round rounds to the precision of bits.
func round(v float64, bits int) float64 {
	switch bits {
	case 16:
		return toHalf(v)
	case 32:
		return float64(float32(v))
	}
	return v
}
