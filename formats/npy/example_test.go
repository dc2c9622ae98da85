package npy_test

import (
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/npy"
)

// The header that makes a .npy file of the elements after it. NumPy has no bfloat16, so its
// elements are two bytes that mean nothing to it.
func ExampleHeader() {
	for _, d := range []checkpoint.DType{checkpoint.F32, checkpoint.BF16} {
		header := npy.Header(npy.Descr(d), npy.Shape(d, []int64{64, 3}))
		fmt.Printf("%d: %q\n", len(header), header[:72])
	}
	// Output:
	// 128: "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (64, 3), }  "
	// 128: "\x93NUMPY\x01\x00v\x00{'descr': '|V2', 'fortran_order': False, 'shape': (64, 3), }  "
}
