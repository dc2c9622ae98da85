package adapter

import (
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// Merge is what an adapter does to one tensor of a model.
type Merge struct {
	// What says it for people: "LoRA of rank 16 (q_proj)". Tensors that were tied and stay so
	// have the same text, and others have not.
	What string

	name  string // of the adapter
	shape []int64
	dtype checkpoint.DType
	// The parts, in the order in which they are done; each may be missing.
	replaced *checkpoint.Tensor
	added    *addition
	again    *addition       // the same once more, in another order of rounding
	rows     map[int64]int64 // of the tensor: of tokens
	tokens   *checkpoint.Tensor
}

// Apply is w merged, in its dtype. w is the tensor that Match saw, or what another Merge made
// of it. weight multiplies the scale of the adapter, and says nothing to what it replaces. A
// w of another shape or dtype is an error.
func (m *Merge) Apply(w ops.Array, weight float64) (ops.Array, error) {
	if w.DType != m.dtype || !slices.Equal(w.Shape, m.shape) {
		return ops.Array{}, fmt.Errorf("%s is for %s %s, and the tensor is %s by now", m.name, m.dtype, checkpoint.ShapeText(m.shape), w)
	}
	if m.replaced != nil {
		other, err := ops.Of(m.replaced).To(w.DType)
		if err != nil {
			return w, fmt.Errorf("%s: %.200q: %w", m.name, m.replaced.Key, err)
		}
		w = other
	}
	if m.added != nil {
		w = m.added.apply(w, weight)
	}
	if m.again != nil {
		w = m.again.apply(w, weight)
	}
	if m.tokens != nil {
		return m.replaceRows(w)
	}
	return w, nil
}

// replaceRows puts rows of the adapter in the place of those of w.
func (m *Merge) replaceRows(w ops.Array) (ops.Array, error) {
	rows, err := ops.Of(m.tokens).To(w.DType)
	if err != nil {
		return w, fmt.Errorf("%s: %.200q: %w", m.name, m.tokens.Key, err)
	}
	width := w.Shape[1] * int64(w.DType.Bits()/8)
	var parts []segment.Data
	done := int64(0)
	for _, at := range sortedKeys(m.rows) {
		parts = append(parts, segment.NewRange(w.Data, done*width, (at-done)*width), segment.NewRange(rows.Data, m.rows[at]*width, width))
		done = at + 1
	}
	parts = append(parts, segment.NewRange(w.Data, done*width, (w.Shape[0]-done)*width))
	data, err := segment.NewList(parts...)
	return ops.Array{DType: w.DType, Shape: w.Shape, Data: data}, err
}
