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
	_, bytes := t.DType.Block()
	r := reader{data: t.Data, bytes: bytes, bits: 32}
	of, n := t.DType.Parts()
	switch of {
	case checkpoint.BOOL:
		r.form = boolean
		return r, nil
	case checkpoint.I8, checkpoint.I16, checkpoint.I32, checkpoint.I64:
		r.form = signed
		return r, nil
	case checkpoint.U8, checkpoint.U16, checkpoint.U32, checkpoint.U64:
		r.form = unsigned
		return r, nil
	case checkpoint.F32:
	case checkpoint.F64:
		r.bits = 64
	default:
		if !ops.Casts(of, checkpoint.F32) {
			return r, fmt.Errorf("elements of %s cannot be printed", t.DType)
		}
		var err error
		if r.data, err = ops.Cast(t.Data, of, checkpoint.F32); err != nil {
			return r, err
		}
		r.bytes = int64(4 * n)
		if t.DType == checkpoint.F16 {
			r.bits = 16
		}
	}
	r.form = real
	if n == 2 {
		r.form, r.part = complexOf, r.bytes/2
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

// float is a single or a double.
func float(b []byte) float64 {
	if len(b) == 4 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
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
