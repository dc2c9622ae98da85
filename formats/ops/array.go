package ops

import (
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// Array is a tensor on its way through operations. It is a value: an operation makes another
// and reads nothing.
type Array struct {
	DType checkpoint.DType
	// Shape is in elements, slowest dimension first.
	Shape []int64
	// Data is the elements in C order, little endian.
	Data segment.Data
	// Bands are given to gathers that cost many reads, as that of a transposed matrix. They
	// may be nil, and go from an array to those that are made of it.
	Bands *segment.Bands

	gathers int // how many gathers a read goes through
}

// Of is a tensor as an array.
func Of(t *checkpoint.Tensor) Array { return Array{DType: t.DType, Shape: t.Shape, Data: t.Data} }

// String is the dtype and the shape: "BF16 [4096, 4096]".
func (a Array) String() string { return fmt.Sprintf("%s %s", a.DType, checkpoint.ShapeText(a.Shape)) }

// To casts the elements, as Cast does.
func (a Array) To(d checkpoint.DType) (Array, error) { return Saturate.To(a, d) }

// To is Array.To with what becomes of numbers that are too large.
func (o Overflow) To(a Array, d checkpoint.DType) (Array, error) {
	data, err := o.Cast(a.Data, a.DType, d)
	a.DType, a.Data = d, data
	return a, err
}

// maxDims is how many dimensions an array may have: as many as NumPy's
// (numpy/ndarraytypes.h, NPY_MAXDIMS) and torch's (c10/core/TensorIterator.h).
const maxDims = 64

// check returns the number of elements, or says that the data is not what the shape wants.
func (a Array) check() (count int64, err error) {
	if len(a.Shape) > maxDims {
		return 0, fmt.Errorf("%d dimensions are more than the %d that an array can have", len(a.Shape), maxDims)
	}
	if count, err = segment.Count(a.Shape); err != nil {
		return 0, err
	}
	elements, bytes := a.DType.Block()
	if bytes == 0 {
		return 0, fmt.Errorf("elements of dtype %s have no size", a.DType)
	}
	if n := a.Data.Size(); n%bytes != 0 || count%elements != 0 || count/elements != n/bytes {
		return 0, fmt.Errorf("%s does not fill %d bytes", a, n)
	}
	return count, nil
}

// units is the shape in the smallest runs of elements that fill whole bytes: blocks along the
// last dimension, where the dtype has them, and elements elsewhere.
func (a Array) units() ([]int64, error) {
	if _, err := a.check(); err != nil {
		return nil, err
	}
	elements, _ := a.DType.Block()
	if elements == 1 {
		return a.Shape, nil
	}
	shape := slices.Clone(a.Shape)
	if len(shape) == 0 || shape[len(shape)-1]%elements != 0 {
		return nil, fmt.Errorf("rows of %s are not made of whole blocks: %d elements of %s fill %s together, and none moves alone",
			a, elements, a.DType, bytesOf(a.DType))
	}
	shape[len(shape)-1] /= elements
	return shape, nil
}

func bytesOf(d checkpoint.DType) string {
	if _, bytes := d.Block(); bytes != 1 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return "a byte"
}

// axisOf is the number of one of the dimensions of a shape. A negative dim counts from the end.
func axisOf(dim, dims int, shape []int64) (int, error) {
	if dim < -dims || dim >= dims {
		return 0, fmt.Errorf("there is no dimension %d in shape %s", dim, checkpoint.ShapeText(shape))
	}
	if dim < 0 {
		dim += dims
	}
	return dim, nil
}
