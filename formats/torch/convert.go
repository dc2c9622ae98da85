package torch

import (
	"encoding/binary"
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// converted is t as the dtype that v names. A tensor of a device that has no storage to
// pickle goes through NumPy, or through the CPU, and NumPy has no bfloat16: the file has
// float32, and what is loaded is bfloat16 (torch/_utils.py, _rebuild_device_tensor_from_numpy).
// A dtype that wfs does not convert to is remembered: the tensor is shown as it was saved.
func (r *resolver) converted(t tensorValue, v pickle.Value) tensorValue {
	g, ok := asGlobal(v)
	if !ok || t.array == nil { // None keeps the dtype
		return t
	}
	to, ok := torchDType(g)
	if ok && to == t.array.dtype {
		return t
	}
	a := *t.array
	if ok && readFloat(a.dtype) != nil && writeFloat(to) != nil {
		a.to = to
	} else {
		more := rare{}
		if a.rare != nil {
			more = *a.rare
		}
		more.asSaved = g.name
		a.rare = &more
	}
	return tensorValue{array: &a}
}

// convert makes d's elements of from into those of to, rounded to nearest, ties to even.
func convert(d segment.Data, from, to checkpoint.DType) segment.Data {
	in, out := elemSize(from), elemSize(to)
	read, write := readFloat(from), writeFloat(to)
	return &segment.Elementwise{From: d, In: in, Out: out, Apply: func(dst, src []byte) {
		for ; int64(len(src)) >= in; src, dst = src[in:], dst[out:] {
			write(dst, read(src))
		}
	}}
}

func readFloat(d checkpoint.DType) func(b []byte) float32 {
	le := binary.LittleEndian
	switch d {
	case checkpoint.F64: // torch goes through float32, too (c10/util/Half.h, BFloat16.h)
		return func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) }
	case checkpoint.F32:
		return func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }
	case checkpoint.BF16:
		return func(b []byte) float32 { return math.Float32frombits(uint32(le.Uint16(b)) << 16) }
	case checkpoint.F16:
		return func(b []byte) float32 { return float16Value(le.Uint16(b)) }
	}
	return nil
}

func writeFloat(d checkpoint.DType) func(b []byte, f float32) {
	le := binary.LittleEndian
	switch d {
	case checkpoint.F64:
		return func(b []byte, f float32) { le.PutUint64(b, math.Float64bits(float64(f))) }
	case checkpoint.F32:
		return func(b []byte, f float32) { le.PutUint32(b, math.Float32bits(f)) }
	case checkpoint.BF16:
		return func(b []byte, f float32) { le.PutUint16(b, bfloat16(f)) }
	case checkpoint.F16:
		return func(b []byte, f float32) { le.PutUint16(b, float16(f)) }
	}
	return nil
}

// bfloat16 is the bits of the bfloat16 nearest to f (c10/util/BFloat16.h, round_to_nearest_even).
func bfloat16(f float32) uint16 {
	bits := math.Float32bits(f)
	if f != f {
		return 0x7fc0
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// float16 is the bits of the float16 nearest to f (c10/util/Half.h, fp16_ieee_from_fp32_value).
func float16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits >> 16 & 0x8000)
	magnitude := math.Abs(float64(f))
	switch {
	case f != f:
		return sign | 0x7e00
	case magnitude >= 65520: // halfway from the largest number to the next power of two
		return sign | 0x7c00
	case magnitude < 0x1p-14: // subnormal, in steps of 2**-24; the first normal may come of it
		return sign | uint16(math.RoundToEven(magnitude*0x1p24))
	}
	bits = bits&0x7fffffff - 112<<23 // the exponent of float16, which carries what rounding adds
	return sign | uint16((bits+0xfff+bits>>13&1)>>13)
}

func float16Value(h uint16) float32 {
	sign, exponent, mantissa := float64(1), int(h>>10&31), float64(h&0x3ff)
	if h>>15 != 0 {
		sign = -1
	}
	switch exponent {
	case 31:
		if mantissa != 0 {
			return float32(math.NaN())
		}
		return float32(math.Inf(int(sign)))
	case 0:
		return float32(math.Copysign(mantissa*0x1p-24, sign))
	}
	return float32(sign * math.Ldexp(1024+mantissa, exponent-25))
}
