package quantized

import (
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// blockScaled is a weight with a scale for each block of, usually, 128 × 128: the weight as
// float8 […, rows, cols] or two e2m1 in a byte, scale_inv as floats or as exponents in bytes.
// The product is rounded once, from float32 (transformers/integrations/finegrained_fp8.py,
// Fp8Dequantize). The last blocks of rows and columns may be smaller: their number is rounded
// up, where that code divides and refuses, or takes other blocks.
func (f *finder) blockScaled(key string) error {
	p := f.group("fp8")
	weight, err := p.need(key, checkpoint.F8E4M3, checkpoint.F8E5M2, checkpoint.I8, checkpoint.F4)
	if err != nil {
		return err
	}
	scale, err := p.need(key+"_scale_inv", append(slices.Clone(halves), checkpoint.U8, checkpoint.F8E8M0)...)
	if err != nil {
		return err
	}
	if module, name, _ := cutLast(key); name == "weight" {
		if err := p.sides(module); err != nil {
			return err
		}
	}
	block := []int64{128, 128}
	if said(f.fields, "weight_block_size") {
		if block, err = member(f.fields, "weight_block_size", block, nil); err != nil {
			return err
		}
		if len(block) != 2 || block[0] < 1 || block[1] < 1 {
			return fmt.Errorf("config.json says weight_block_size %s, and it is two sizes", checkpoint.ShapeText(block))
		}
	}
	w := &scaledWeight{parts: p, key: key, scaleKey: key + "_scale_inv", weight: weight, scale: scale, dtype: f.to}
	if weight.DType == checkpoint.I8 || weight.DType == checkpoint.F4 {
		w.values = small(checkpoint.F4)
		block = []int64{1, 32}
	} else {
		w.values = small(weight.DType)
	}
	if err := w.measure(); err != nil {
		return err
	}
	what := fmt.Sprintf("fp8, blocks of %d × %d", block[0], block[1])
	switch count, err := segment.Count(scale.Shape); {
	case err != nil:
		return err
	case count == 1 && w.lead == 1 && (len(scale.Shape) < 2 || string(f.fields["weight_block_size"]) == "null"):
		block, what = []int64{w.rows, w.cols}, "fp8, a scale for all"
	case !w.grid(block) && w.grid([]int64{1, 32}): // MXFP8 beside other blocks
		block, what = []int64{1, 32}, "MXFP8, blocks of 32"
	case len(w.values) == 16:
		what = "e2m1, blocks of 32"
	}
	return w.blocks(block, what)
}

// scaledWeight is codes in the order of the weight, and a table of scales for blocks of them.
type scaledWeight struct {
	*parts
	key, scaleKey string
	weight, scale *checkpoint.Tensor
	dtype         checkpoint.DType // the product's
	values        []float32        // of codes: 16, two in a byte, or 256

	shape      []int64 // of the plain weight
	rows, cols int64   // of its last two dimensions
	lead       int64   // how many such matrices there are
}

// measure finds out the shape of the plain weight.
func (w *scaledWeight) measure() error {
	n := len(w.weight.Shape)
	if n < 2 || slices.Contains(w.weight.Shape, 0) {
		return fmt.Errorf("%.200q is %s %s, and %s has a matrix there", w.key, w.weight.DType, checkpoint.ShapeText(w.weight.Shape), w.format)
	}
	w.shape = slices.Clone(w.weight.Shape)
	if len(w.values) == 16 && w.weight.DType != checkpoint.F4 {
		w.shape[n-1] *= 2
	}
	if _, err := checkpoint.ByteSize(w.dtype, w.shape); err != nil {
		return fmt.Errorf("%.200q: %w", w.key, err)
	}
	if len(w.values) == 16 && w.shape[n-1]%2 != 0 {
		return fmt.Errorf("%.200q is %s %s: its rows do not fill whole bytes", w.key, w.weight.DType, checkpoint.ShapeText(w.weight.Shape))
	}
	w.split(w.shape)
	return nil
}

// split cuts a shape, whose product is known, into matrices.
func (w *scaledWeight) split(shape []int64) {
	n := len(shape)
	w.shape, w.rows, w.cols, w.lead = shape, shape[n-2], shape[n-1], 1
	for _, d := range shape[:n-2] {
		w.lead *= d
	}
}

// gridOf is the shape of scales for blocks of a size.
func (w *scaledWeight) gridOf(high, wide int64) []int64 {
	return append(slices.Clone(w.shape[:len(w.shape)-2]), ceil(w.rows, high), ceil(w.cols, wide))
}

// grid reports whether the scales are those of blocks of a size.
func (w *scaledWeight) grid(block []int64) bool {
	return slices.Equal(w.scale.Shape, w.gridOf(block[0], block[1]))
}

// mostMatrices is how many matrices of one tensor have ragged blocks.
const mostMatrices = 1 << 14

// blocks makes the group, with a scale for each block.
func (w *scaledWeight) blocks(block []int64, what string) error {
	high, wide := min(block[0], w.rows), min(block[1], w.cols)
	if count, err := segment.Count(w.scale.Shape); err != nil || count != 1 || w.lead*ceil(w.rows, high)*ceil(w.cols, wide) != 1 {
		if !w.grid(block) && !(wide == w.cols && w.channel(high)) {
			return w.shaped(w.scaleKey, w.scale, w.gridOf(high, wide))
		}
	}
	table, err := scaleTable(w.scale, ceil(w.cols, wide))
	if err != nil {
		return fmt.Errorf("%.200q: %w", w.scaleKey, err)
	}
	return w.finish(high, wide, table, nil, what)
}

// channel reports whether the scales are one for each of rows of a height, without a dimension for columns.
func (w *scaledWeight) channel(high int64) bool {
	n := len(w.shape)
	return slices.Equal(w.scale.Shape, append(slices.Clone(w.shape[:n-2]), ceil(w.rows, high)))
}

// finish makes the group of tables for blocks of a size.
func (w *scaledWeight) finish(high, wide int64, scales, zeros table, what string) error {
	bits := int64(8)
	if len(w.values) == 16 {
		bits = 4
	}
	m := &matrix{dtype: w.dtype, rows: w.lead * w.rows, cols: w.cols, values: w.values, tall: high, wide: wide, groups: ceil(w.cols, wide), scales: scales, zeros: zeros}
	m.codes = &packed{data: w.weight.Data, bits: bits, pitch: w.cols * bits / 8}
	array, err := w.stack(m)
	if err != nil {
		return fmt.Errorf("%.200q: %w", w.key, err)
	}
	return w.done(w.key, array, what)
}

// stack makes an array of matrices that lie one after the other. Where the last blocks of each
// have fewer rows, each is a matrix of its own.
func (w *scaledWeight) stack(m *matrix) (ops.Array, error) {
	if w.lead == 1 || w.rows%m.tall == 0 {
		return m.array(w.shape...)
	}
	if w.lead > mostMatrices {
		return ops.Array{}, fmt.Errorf("%d matrices with blocks that do not divide them: wfs takes %d", w.lead, mostMatrices)
	}
	tables, bytes := ceil(w.rows, m.tall), w.weight.Data.Size()/w.lead
	all := make([]segment.Data, w.lead)
	m.pad()
	for i := range all {
		one, at := *m, int64(i)*tables
		codes := *m.codes.(*packed)
		codes.data = segment.NewRange(w.weight.Data, int64(i)*bytes, bytes)
		one.codes, one.rows = &codes, w.rows
		one.scales, one.zeros = m.scales.from(at), m.zeros.from(at)
		a, err := one.array(w.rows, w.cols)
		if err != nil {
			return ops.Array{}, err
		}
		all[i] = a.Data
	}
	list, err := segment.NewList(all...)
	return ops.Array{DType: m.dtype, Shape: w.shape, Data: list}, err
}
