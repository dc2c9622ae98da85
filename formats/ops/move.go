package ops

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// maxGathers is how many gathers may read from each other. Those over one source are one,
// save where a reshape lies between that has no strides.
const maxGathers = 8

// maxLayers is through how many casts, swaps and negations a movement goes.
const maxLayers = 8

// moved is a with its elements where change has put them in their layout, whose shape is in
// units, blocks where the dtype has blocks. A movement of a movement is one gather.
func (a Array) moved(change func(l *segment.Layout)) (Array, error) {
	units, err := a.units()
	if err != nil {
		return Array{}, err
	}
	if f, ok := a.Data.(*fold); ok && a.DType == checkpoint.F32 {
		return f.moved(a, change)
	}
	elements, elem := a.DType.Block()
	data := a.Data
	// What is done to each element can be done after the movement too, and to more of them at a time.
	var layers []*segment.Elementwise
	for len(layers) < maxLayers {
		e, ok := data.(*segment.Elementwise)
		if !ok || e.Out != elem || elements > 1 || e.From.Size()%e.In != 0 {
			break
		}
		layers = append(layers, e)
		data, elem = e.From, e.In
	}
	l, gathered := segment.LayoutOf(data, elem, slices.Clone(units))
	if l.Bands == nil {
		l.Bands = a.Bands
	}
	change(&l)
	if count, err := segment.Count(l.Shape); err == nil && count == 0 {
		l.Off = 0
	}
	if data, err = l.Data(); err != nil {
		return Array{}, err
	}
	if gathered && a.gathers > 0 {
		a.gathers--
	}
	if _, ok := data.(*segment.Strided); ok {
		if a.gathers++; a.gathers > maxGathers {
			return Array{}, fmt.Errorf("more than %d movements in turn that cannot be made one: a reshape between two of them joins dimensions that do not lie together", maxGathers)
		}
	}
	for _, e := range slices.Backward(layers) {
		data = &segment.Elementwise{From: data, In: e.In, Out: e.Out, Apply: e.Apply}
	}
	a.Data, a.Shape = data, l.Shape
	if elements > 1 {
		a.Shape[len(a.Shape)-1] *= elements
	}
	return a, nil
}

// Permute puts dimension dims[i] of a in the place of dimension i, as torch.permute does.
func Permute(a Array, dims ...int) (Array, error) {
	if len(dims) != len(a.Shape) {
		return Array{}, fmt.Errorf("permute: %d dimensions for shape %s", len(dims), checkpoint.ShapeText(a.Shape))
	}
	order, seen := make([]int, len(dims)), make([]bool, len(dims))
	for i, dim := range dims {
		axis, err := axisOf(dim, len(a.Shape), a.Shape)
		if err != nil {
			return Array{}, fmt.Errorf("permute: %w", err)
		}
		if seen[axis] {
			return Array{}, fmt.Errorf("permute: dimension %d is there twice", dim)
		}
		order[i], seen[axis] = axis, true
	}
	if elements, _ := a.DType.Block(); elements > 1 && len(order) > 0 && order[len(order)-1] != len(order)-1 {
		return Array{}, fmt.Errorf("permute: %d elements of %s along the last dimension are one block: that dimension has to stay the last", elements, a.DType)
	}
	b, err := a.moved(func(l *segment.Layout) {
		shape, stride := slices.Clone(l.Shape), slices.Clone(l.Stride)
		for i, axis := range order {
			l.Shape[i], l.Stride[i] = shape[axis], stride[axis]
		}
	})
	return b, within("permute", err)
}

// within says which operation an error is of.
func within(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// Transpose swaps the last two dimensions: a matrix becomes its transpose, and each matrix of
// a stack does. What has fewer than two dimensions is refused.
func Transpose(a Array) (Array, error) {
	n := len(a.Shape)
	if n < 2 {
		return Array{}, fmt.Errorf("transpose: shape %s has less than two dimensions", checkpoint.ShapeText(a.Shape))
	}
	dims := make([]int, n)
	for i := range dims {
		dims[i] = i
	}
	dims[n-2], dims[n-1] = n-1, n-2
	return Permute(a, dims...)
}

// Reshape gives a another shape for the same elements in C order. One size may be -1: what
// the others leave.
func Reshape(a Array, shape ...int64) (Array, error) {
	if len(shape) > maxDims {
		return Array{}, fmt.Errorf("reshape: %d dimensions are more than the %d that an array can have", len(shape), maxDims)
	}
	count, err := a.check()
	if err != nil {
		return Array{}, within("reshape", err)
	}
	b := a
	b.Shape = slices.Clone(shape)
	open := -1
	for i, n := range shape {
		if n != -1 {
			continue
		}
		if open >= 0 {
			return Array{}, errors.New("reshape: more than one size is -1")
		}
		open, b.Shape[i] = i, 1
	}
	rest, err := segment.Count(b.Shape)
	if err != nil {
		return Array{}, within("reshape", err)
	}
	if open >= 0 {
		if rest == 0 {
			return Array{}, fmt.Errorf("reshape: -1 beside a size of 0 could be anything in %s", checkpoint.ShapeText(shape))
		}
		b.Shape[open] = count / rest
		rest *= b.Shape[open]
	}
	if rest != count {
		return Array{}, fmt.Errorf("reshape: %s has %d elements, which do not fill shape %s", checkpoint.ShapeText(a.Shape), count, checkpoint.ShapeText(shape))
	}
	_, err = b.units()
	return b, within("reshape", err)
}

// Slice takes the elements from, from+step, from+2·step … of a dimension, and none from to
// on. Both count from the end where they are negative, and end at the ends of the dimension, as in Python:
// math.MaxInt64 is the end. step is 1 or more.
func Slice(a Array, dim int, from, to, step int64) (Array, error) {
	axis, err := axisOf(dim, len(a.Shape), a.Shape)
	if err != nil {
		return Array{}, within("slice", err)
	}
	if step < 1 {
		return Array{}, fmt.Errorf("slice: a step of %d: it has to be 1 or more", step)
	}
	size := a.Shape[axis]
	clip := func(v int64) int64 {
		if v < 0 {
			v = max(v, -size) + size
		}
		return min(v, size)
	}
	if from, to = clip(from), clip(to); to < from {
		to = from
	}
	n := (to - from + step - 1) / step
	if step > size {
		n = min(to-from, 1)
	}
	if elements, _ := a.DType.Block(); elements > 1 && axis == len(a.Shape)-1 {
		if from%elements != 0 || to%elements != 0 || step != 1 {
			return Array{}, fmt.Errorf("slice: %d:%d:%d of the last dimension cuts blocks of %d elements of %s", from, to, step, elements, a.DType)
		}
		from, n = from/elements, n/elements
	}
	b, err := a.moved(func(l *segment.Layout) {
		l.Off += from * l.Stride[axis] * l.Elem
		l.Shape[axis] = n
		if n > 1 {
			l.Stride[axis] *= step
		}
	})
	return b, within("slice", err)
}

// drop is a without a dimension of size 1.
func (a Array) drop(axis int) Array {
	a.Shape = slices.Delete(slices.Clone(a.Shape), axis, axis+1)
	return a
}

// sum adds sizes, which are not negative, as long as a file could have them.
func sum(sizes []int64) (total int64, err error) {
	for _, n := range sizes {
		t, carry := bits.Add64(uint64(total), uint64(n), 0)
		if n < 0 || carry != 0 || t > 1<<62 {
			return 0, errors.New("the sizes are larger than a file can be")
		}
		total = int64(t)
	}
	return total, nil
}
