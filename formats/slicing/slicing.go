// Package slicing is NumPy's basic indexing (numpy.org/doc/stable/user/basics.indexing.html,
// "Basic indexing") of tensors that are not in memory: what is read is what the slice takes.
package slicing

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// item is one of the things that stand between commas.
type item struct {
	text              string
	kind              kind
	start, stop, step *int64 // of a slice; start is the integer
}

type kind int

const (
	integer kind = iota
	slice
	ellipsis
	newAxis
)

// Slice is what stands in the brackets of a[…].
type Slice struct {
	items []item
	text  string
}

// maxAxes is how many axes an array of NumPy can have (numpy/ndarraytypes.h, NPY_MAXDIMS).
const maxAxes = 64

// Parse reads "0:10, :, ::2", with or without brackets around it.
func Parse(text string) (Slice, error) {
	s := Slice{text: text}
	inner := strings.TrimSpace(text)
	if strings.HasPrefix(inner, "[") && strings.HasSuffix(inner, "]") {
		inner = inner[1 : len(inner)-1]
	}
	parts := strings.Split(inner, ",")
	if len(parts) > 1 && strings.TrimSpace(parts[len(parts)-1]) == "" {
		parts = parts[:len(parts)-1] // of a tuple: a[1,]
	}
	if len(parts) > 2*maxAxes {
		return s, fmt.Errorf("it has %d indices", len(parts))
	}
	dots := 0
	for _, part := range parts {
		it, err := parseItem(strings.TrimSpace(part))
		if err != nil {
			return s, err
		}
		if it.kind == ellipsis {
			dots++
		}
		s.items = append(s.items, it)
	}
	if dots > 1 {
		return s, errors.New("an index can only have a single ellipsis (...)")
	}
	return s, nil
}

func parseItem(text string) (item, error) {
	it := item{text: text}
	switch text {
	case "...", "Ellipsis":
		it.kind = ellipsis
		return it, nil
	case "None", "newaxis", "np.newaxis":
		it.kind = newAxis
		return it, nil
	case "":
		return it, errors.New("an index is missing between two commas")
	}
	numbers := strings.Split(text, ":")
	if len(numbers) > 3 {
		return it, fmt.Errorf("%.40q is not an index: a slice is start:stop:step", text)
	}
	if len(numbers) > 1 {
		it.kind = slice
	}
	for i, place := range []**int64{&it.start, &it.stop, &it.step}[:len(numbers)] {
		number := strings.TrimSpace(numbers[i])
		if number == "" {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimPrefix(strings.ReplaceAll(number, "_", ""), "+"), 10, 64)
		if err != nil {
			return it, fmt.Errorf("%.40q is not an index: one is an integer, start:stop:step, ... or None", text)
		}
		*place = &n
	}
	if it.step != nil && *it.step == 0 {
		return it, fmt.Errorf("%.40q: slice step cannot be zero", text)
	}
	return it, nil
}

// axis is what is taken of an axis of the source: n elements from start on.
type axis struct{ start, n, step int64 }

// Of is the part of a tensor that a slice takes, as a tensor of the same key and dtype.
func (s Slice) Of(t *checkpoint.Tensor) (*checkpoint.Tensor, error) {
	elements, elem := t.DType.Block()
	if elements != 1 {
		return nil, fmt.Errorf("an element of %s is less than a byte, or in a block with others: it is sliced as float32 alone, by --text or --json", t.DType)
	}
	taken, shape, err := s.axes(t.Shape)
	if err != nil {
		return nil, fmt.Errorf("[%s] of shape %v: %w", s.text, t.Shape, err)
	}
	strides := make([]int64, len(t.Shape))
	for i, stride := len(t.Shape)-1, int64(1); i >= 0; i-- {
		strides[i] = stride
		stride *= t.Shape[i]
	}
	// A negative step takes the same elements as a positive one does from the other end.
	off := int64(0)
	sizes, flipped := make([]int64, len(taken)), make([]bool, len(taken))
	for i, a := range taken {
		sizes[i] = a.n
		if a.n == 0 {
			strides[i] = 0
			continue
		}
		if a.step < 0 {
			a.start, a.step, flipped[i] = a.start+(a.n-1)*a.step, -a.step, true
		}
		off += a.start * strides[i]
		if a.n > 1 { // then it is not larger than the axis
			strides[i] *= a.step
		}
	}
	part := &checkpoint.Tensor{Key: t.Key, DType: t.DType, Shape: shape}
	data, err := segment.NewStrided(nil, t.Data, t.Data.Size(), min(off*elem, t.Data.Size()), elem, sizes, strides)
	if err == nil {
		part.Data, err = segment.NewFlip(data, elem, sizes, flipped)
	}
	return part, err
}

// axes is what is taken of each axis of a shape, and the shape of what is taken.
func (s Slice) axes(shape []int64) (taken []axis, result []int64, err error) {
	items := slices.Clone(s.items)
	used := 0
	at := len(items)
	for i, it := range items {
		switch it.kind {
		case ellipsis:
			at = i
		case integer, slice:
			used++
		}
	}
	if used > len(shape) {
		return nil, nil, fmt.Errorf("too many indices: it has %d axes, but %d were indexed", len(shape), used)
	}
	// What is not indexed is taken whole, where the dots are or at the end.
	whole := slices.Repeat([]item{{kind: slice}}, len(shape)-used)
	if at < len(items) {
		items = slices.Replace(items, at, at+1, whole...)
	} else {
		items = append(items, whole...)
	}
	result = []int64{}
	for _, it := range items {
		if it.kind == newAxis {
			result = append(result, 1)
			continue
		}
		n := shape[len(taken)]
		if it.kind == integer {
			k := *it.start
			if k < -n || k >= n {
				return nil, nil, fmt.Errorf("index %d is out of bounds for axis %d with size %d", k, len(taken), n)
			}
			if k < 0 {
				k += n
			}
			taken = append(taken, axis{k, 1, 1})
			continue
		}
		a := it.bounds(n)
		taken = append(taken, a)
		result = append(result, a.n)
	}
	if len(result) > maxAxes {
		return nil, nil, fmt.Errorf("the result has %d axes, an array has %d at most", len(result), maxAxes)
	}
	return taken, result, nil
}

// bounds is Python's slice.indices for an axis of n elements (Objects/sliceobject.c,
// PySlice_AdjustIndices).
func (it item) bounds(n int64) axis {
	step := int64(1)
	if it.step != nil {
		step = max(*it.step, -1<<62)
	}
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	clip := func(v *int64, otherwise int64) int64 {
		if v == nil {
			return otherwise
		}
		k := *v
		if k < 0 {
			k = max(k, -1<<62) + n
		}
		return min(max(k, low), high)
	}
	start, stop := clip(it.start, low), clip(it.stop, high)
	if step < 0 {
		start, stop = clip(it.start, high), clip(it.stop, low)
		if start <= stop {
			return axis{0, 0, step}
		}
		return axis{start, (start-stop-1)/-step + 1, step}
	}
	if start >= stop {
		return axis{0, 0, step}
	}
	return axis{start, (stop-start-1)/step + 1, step}
}
