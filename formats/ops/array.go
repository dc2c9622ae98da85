package ops

import (
	"fmt"

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
}

// Of is a tensor as an array.
func Of(t *checkpoint.Tensor) Array { return Array{t.DType, t.Shape, t.Data} }

// String is the dtype and the shape: "BF16 [4096, 4096]".
func (a Array) String() string { return fmt.Sprintf("%s %s", a.DType, checkpoint.ShapeText(a.Shape)) }

// To casts the elements, as Cast does.
func (a Array) To(d checkpoint.DType) (Array, error) {
	data, err := Cast(a.Data, a.DType, d)
	return Array{d, a.Shape, data}, err
}
