package report

import (
	"encoding/binary"
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// decoder is how elements become float64: how many bytes each has.
type decoder struct {
	size   int
	decode func(values []float64, raw []byte)
}

// decoderOf is the decoder of a number that is not cast to float32 first.
func decoderOf(d checkpoint.DType) (decoder, bool) {
	le := binary.LittleEndian
	each := func(size int, one func([]byte) float64) (decoder, bool) {
		return decoder{size, func(values []float64, raw []byte) {
			for i := range values {
				values[i] = one(raw[i*size:])
			}
		}}, true
	}
	switch d {
	case checkpoint.BOOL, checkpoint.U8:
		return each(1, func(b []byte) float64 { return float64(b[0]) })
	case checkpoint.I8:
		return each(1, func(b []byte) float64 { return float64(int8(b[0])) })
	case checkpoint.I16:
		return each(2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) })
	case checkpoint.U16:
		return each(2, func(b []byte) float64 { return float64(le.Uint16(b)) })
	case checkpoint.I32:
		return each(4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) })
	case checkpoint.U32:
		return each(4, func(b []byte) float64 { return float64(le.Uint32(b)) })
	case checkpoint.I64:
		return each(8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) })
	case checkpoint.U64:
		return each(8, func(b []byte) float64 { return float64(le.Uint64(b)) })
	case checkpoint.F32:
		return decoder{4, func(values []float64, raw []byte) {
			for i := range values {
				values[i] = float64(math.Float32frombits(le.Uint32(raw[i*4:])))
			}
		}}, true
	case checkpoint.F64:
		return each(8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })
	}
	return decoder{}, false
}

func readable(d checkpoint.DType) bool {
	d, _ = d.Parts()
	_, ok := decoderOf(d)
	return ok || ops.Casts(d, checkpoint.F32)
}

// data is a tensor's bytes in a form that has a decoder.
func data(t *checkpoint.Tensor) (segment.Data, decoder, bool) {
	of, _ := t.DType.Parts()
	if d, ok := decoderOf(of); ok {
		return t.Data, d, true
	}
	wide, err := ops.Cast(t.Data, of, checkpoint.F32)
	d, _ := decoderOf(checkpoint.F32)
	return wide, d, err == nil
}

// numbers is how many numbers a tensor has: complex elements are two each.
func numbers(t *checkpoint.Tensor) int64 {
	data, d, ok := data(t)
	if !ok {
		return 0
	}
	return data.Size() / int64(d.size)
}

// each reads a tensor in order, and hands its numbers out in blocks.
func (m *meter) each(t *checkpoint.Tensor, take func([]float64)) error {
	data, d, ok := data(t)
	if !ok || data.Size()%int64(d.size) != 0 {
		return errShort
	}
	total := data.Size()
	told := func(off int64) int64 { return int64(float64(t.Data.Size()) * (float64(off) / float64(total))) } // of the bytes before the cast
	for off := int64(0); off < total; {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		raw := m.raw[:min(int64(len(m.raw)), total-off)]
		if err := segment.ReadFull(data, raw, off); err != nil {
			return err
		}
		off += int64(len(raw))
		m.progress(told(off) - told(off-int64(len(raw))))
		for len(raw) > 0 {
			values := m.values[:min(len(m.values), len(raw)/d.size)]
			d.decode(values, raw)
			take(values)
			raw = raw[len(values)*d.size:]
		}
	}
	return nil
}
