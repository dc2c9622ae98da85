package quantized

import (
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// floats is a table of n numbers a row, of a floating-point dtype.
func floats(data segment.Data, d checkpoint.DType, n int64) (table, error) {
	if !ops.Widens(d) || d.Bits()%8 != 0 {
		return nil, fmt.Errorf("scales of dtype %s", d)
	}
	size := int64(d.Bits() / 8)
	return func(read segment.ReadFunc, s *scratch, dst []float32, row, rows, group, count int64) error {
		raw := sized(&s.raw, int64(len(dst))*size)
		if err := segment.Fill(read, data, raw, (row*n+group)*size); err != nil {
			return err
		}
		ops.Widen(dst, raw, d)
		return nil
	}, nil
}

// lookedUp is a table of n bytes a row, each of which stands for a number.
func lookedUp(data segment.Data, values *[256]float32, n int64) table {
	return func(read segment.ReadFunc, s *scratch, dst []float32, row, rows, group, count int64) error {
		raw := sized(&s.raw, int64(len(dst)))
		if err := segment.Fill(read, data, raw, row*n+group); err != nil {
			return err
		}
		for i, b := range raw {
			dst[i] = values[b]
		}
		return nil
	}
}

// words is zero points of few bits, packed down the columns of a table of 32-bit words with n
// of them a row: that of row r is in the bits from r·bits on.
type words struct {
	data segment.Data
	bits int64
	n    int64
	// places are where eight codes of four bits are in a word; nil where they are in order.
	places []int64
	// less is added to what is stored: GPTQ's first format has zero points that are less by one.
	less uint32
}

func (w *words) read(read segment.ReadFunc, s *scratch, dst []float32, row, rows, group, n int64) error {
	from, to := row*w.bits/32, ((row+rows)*w.bits+31)/32
	raw := sized(&s.raw, 4*n*(to-from))
	if n == w.n {
		if err := segment.Fill(read, w.data, raw, 4*n*from); err != nil {
			return err
		}
	} else {
		for i := range to - from {
			if err := segment.Fill(read, w.data, raw[4*n*i:][:4*n], 4*((from+i)*w.n+group)); err != nil {
				return err
			}
		}
	}
	// The field is added to as a whole word where no code lies in two, as gptqmodel does: a code
	// that is the largest carries into the next (gptqmodel/utils/model.py, convert_gptq_v1_to_v2_format_module).
	mask := uint32(1)<<w.bits - 1
	each := uint32(0)
	if 32%w.bits == 0 {
		for shift := int64(0); shift < 32; shift += w.bits {
			each |= w.less << shift
		}
	}
	for i := range rows {
		bit := (row + i) * w.bits
		if w.places != nil {
			bit = bit&^31 + 4*w.places[(row+i)%8]
		}
		word, shift := bit/32-from, bit%32
		line := raw[4*n*word:]
		for g := range n {
			v := (le.Uint32(line[4*g:]) + each) >> shift
			if shift+w.bits > 32 {
				v |= le.Uint32(line[4*(n+g):]) << (32 - shift)
			}
			if each == 0 {
				v += w.less
			}
			dst[i*n+g] = float32(v & mask)
		}
	}
	return nil
}

// from is the table from a row on.
func (t table) from(first int64) table {
	if t == nil {
		return nil
	}
	return func(read segment.ReadFunc, s *scratch, dst []float32, row, rows, group, n int64) error {
		return t(read, s, dst, first+row, rows, group, n)
	}
}

// scaleTable is the table of a tensor with n scales a row: floats, or exponents in bytes.
func scaleTable(t *checkpoint.Tensor, n int64) (table, error) {
	if t.DType == checkpoint.U8 {
		return lookedUp(t.Data, exponents(), n), nil
	}
	return floats(t.Data, t.DType, n)
}

// each is the table with all numbers changed, one by one.
func (t table) each(change func(float32) float32) table {
	return func(read segment.ReadFunc, s *scratch, dst []float32, row, rows, group, n int64) error {
		err := t(read, s, dst, row, rows, group, n)
		for i, v := range dst {
			dst[i] = change(v)
		}
		return err
	}
}
