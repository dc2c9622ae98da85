package ops

import (
	"errors"
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// Concat joins arrays along a dimension that they have, as torch.cat does. They have one
// dtype, and in the other dimensions the same sizes.
func Concat(dim int, parts ...Array) (Array, error) {
	a, err := concat(dim, parts)
	return a, within("concat", err)
}

func concat(dim int, parts []Array) (Array, error) {
	if len(parts) == 0 {
		return Array{}, errors.New("no arrays")
	}
	a := parts[0]
	axis, err := axisOf(dim, len(a.Shape), a.Shape)
	if err != nil {
		return Array{}, err
	}
	a.Shape = slices.Clone(a.Shape)
	sizes, data := make([]int64, len(parts)), make([]segment.Data, len(parts))
	for i, part := range parts {
		if part.DType != a.DType {
			return Array{}, fmt.Errorf("%s and %s have not one dtype: cast one of them first", parts[0], part)
		}
		if !alike(part.Shape, a.Shape, axis) {
			return Array{}, fmt.Errorf("%s and %s do not fit each other: only their sizes in dimension %d may be others", parts[0], part, axis)
		}
		if _, err := part.units(); err != nil {
			return Array{}, err
		}
		sizes[i], data[i] = part.Shape[axis], part.Data
		a = a.among(part)
	}
	if a.Shape[axis], err = sum(sizes); err != nil {
		return Array{}, err
	}
	if a.Data, err = join(a.Shape[:axis], data); err != nil {
		return Array{}, err
	}
	_, err = a.check()
	return a, err
}

// alike reports whether shapes are the same in all dimensions but one.
func alike(a, b []int64, axis int) bool {
	return len(a) == len(b) && slices.Equal(a[:axis], b[:axis]) && slices.Equal(a[axis+1:], b[axis+1:])
}

// among is a with the bands of b, if it has none itself, and the depth of the deeper one.
func (a Array) among(b Array) Array {
	if a.Bands == nil {
		a.Bands = b.Bands
	}
	a.gathers = max(a.gathers, b.gathers)
	return a
}

// join puts arrays side by side, for each index of the dimensions above.
func join(above []int64, parts []segment.Data) (segment.Data, error) {
	count, err := segment.Count(above)
	if err != nil {
		return nil, err
	}
	return segment.Interleave(count, parts...)
}

// Stack joins arrays along a new dimension, as torch.stack does. They have one dtype and one
// shape.
func Stack(dim int, parts ...Array) (Array, error) {
	if len(parts) == 0 {
		return Array{}, errors.New("stack: no arrays")
	}
	first := parts[0]
	axis, err := axisOf(dim, len(first.Shape)+1, first.Shape)
	if err != nil {
		return Array{}, within("stack", err)
	}
	if elements, _ := first.DType.Block(); elements > 1 && axis == len(first.Shape) {
		return Array{}, fmt.Errorf("stack: %d elements of %s along the last dimension are one block: a new dimension cannot follow it", elements, first.DType)
	}
	wide := make([]Array, len(parts))
	for i, part := range parts {
		if !slices.Equal(part.Shape, first.Shape) {
			return Array{}, fmt.Errorf("stack: %s and %s have not one shape", first, part)
		}
		wide[i] = part
		wide[i].Shape = slices.Insert(slices.Clone(part.Shape), axis, 1)
	}
	a, err := concat(axis, wide)
	return a, within("stack", err)
}

// Reorder cuts a dimension into blocks of one size, and puts block order[i] in place i: the
// gates of an LSTM or a GRU in another library's order.
func Reorder(a Array, dim int, blocks int64, order ...int) (Array, error) {
	b, err := reorder(a, dim, blocks, order)
	return b, within("reorder", err)
}

func reorder(a Array, dim int, blocks int64, order []int) (Array, error) {
	axis, err := axisOf(dim, len(a.Shape), a.Shape)
	if err != nil {
		return Array{}, err
	}
	if blocks < 1 || a.Shape[axis]%blocks != 0 {
		return Array{}, fmt.Errorf("dimension %d of %s does not divide into %d blocks", axis, checkpoint.ShapeText(a.Shape), blocks)
	}
	if int64(len(order)) != blocks {
		return Array{}, fmt.Errorf("an order of %d for %d blocks", len(order), blocks)
	}
	seen := make([]bool, len(order))
	for _, i := range order {
		if i < 0 || i >= len(order) || seen[i] {
			return Array{}, fmt.Errorf("block %d is there twice, or is not one of %d that count from 0", i, blocks)
		}
		seen[i] = true
	}
	cut, err := Reshape(a, slices.Concat(a.Shape[:axis], []int64{blocks, a.Shape[axis] / blocks}, a.Shape[axis+1:])...)
	if err != nil {
		return Array{}, err
	}
	var parts []Array
	for len(order) > 0 { // blocks that lie in equal steps are one slice
		n, step := 1, 1
		for n < len(order) {
			if next := order[n] - order[n-1]; n == 1 && next > 0 {
				step = next
			} else if next != step || next < 1 {
				break
			}
			n++
		}
		part, err := Slice(cut, axis, int64(order[0]), int64(order[n-1])+1, int64(step))
		if err != nil {
			return Array{}, err
		}
		parts, order = append(parts, part), order[n:]
	}
	whole, err := concat(axis, parts)
	if err != nil {
		return Array{}, err
	}
	return Reshape(whole, a.Shape...)
}
