package safetensors_test

import (
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/safetensors"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// Two tensors are laid out as a file, which is then read as any other.
func Example() {
	layout, omitted, err := safetensors.NewLayout([]checkpoint.Entry{
		{Key: "half", Tensor: &checkpoint.Tensor{DType: checkpoint.F16, Shape: []int64{2}, Data: segment.Literal("hhhh")}},
		{Key: "full", Tensor: &checkpoint.Tensor{DType: checkpoint.F32, Data: segment.Literal("ffff")}},
		{Key: "wide", Tensor: &checkpoint.Tensor{DType: checkpoint.C128, Data: make(segment.Literal, 16)}},
	}, map[string]string{"format": "pt"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(layout.Size(), "bytes, omitted:", omitted)
	file, err := layout.File()
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := safetensors.Open(source.NewMemory("view.safetensors", file, nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range c.Tensors {
		p := make([]byte, t.Data.Size())
		fmt.Println(t.Key, t.DType, t.Shape, segment.ReadFull(t.Data, p, 0), string(p))
	}
	// Output:
	// 4104 bytes, omitted: [{wide safetensors has no dtype C128}]
	// full F32 [] <nil> ffff
	// half F16 [2] <nil> hhhh
}
