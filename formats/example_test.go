package formats_test

import (
	"fmt"

	"wfs/formats"
	"wfs/formats/segment"
)

// Every tensor of a file of any format, and the bytes of one.
func ExampleOpen() {
	model, err := formats.Open("torch/testdata/plain4.pkl")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	for from, t := range model.Tensors() {
		fmt.Println(from.Source.Name(), from.Format, t.Key, t.DType, t.Shape)
	}
	for _, t := range model.Tensors() {
		p := make([]byte, 8)
		fmt.Println(segment.ReadFull(t.Data, p, 4), p)
		break
	}
	_, err = formats.Open("open.go")
	fmt.Println(err)
	// Output:
	// plain4.pkl pickle a F32 [4 6]
	// plain4.pkl pickle n F64 [4]
	// <nil> [0 0 128 63 0 0 0 64]
	// open.go: not a weight file that wfs knows (it is text)
}
