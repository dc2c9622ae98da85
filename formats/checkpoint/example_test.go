package checkpoint_test

import (
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// The size of a tensor follows from its dtype and its shape, also where one element is not
// a whole number of bytes.
func ExampleByteSize() {
	for _, d := range []checkpoint.DType{checkpoint.F32, checkpoint.F4, checkpoint.Q4K} {
		elements, bytes := d.Block()
		size, err := checkpoint.ByteSize(d, []int64{2, 512})
		fmt.Printf("%s: %d in %d bytes, [2, 512] has %d, %v\n", d, elements, bytes, size, err)
	}
	_, err := checkpoint.ByteSize(checkpoint.Q4K, []int64{512, 2})
	fmt.Println(err)
	// Output:
	// F32: 1 in 4 bytes, [2, 512] has 4096, <nil>
	// F4: 2 in 1 bytes, [2, 512] has 512, <nil>
	// Q4_K: 256 in 144 bytes, [2, 512] has 576, <nil>
	// shape [512 2] of Q4_K does not fill whole blocks of 256
}

// What a view with a root takes of a training checkpoint.
func ExampleCheckpoint_Below() {
	one := segment.Literal{0, 0, 0x80, 0x3f}
	c := &checkpoint.Checkpoint{Separator: ".", Tensors: []*checkpoint.Tensor{
		{Key: "model.fc.bias", DType: checkpoint.F32, Shape: []int64{1}, Data: one},
		{Key: "model.mask", DType: checkpoint.F32, Data: one, Hidden: "non-persistent buffer"},
		{Key: "optimizer.0.exp_avg", DType: checkpoint.F32, Shape: []int64{1}, Data: one},
	}}
	for _, e := range c.Below("model") {
		fmt.Println(e.Key, "is", e.Tensor.Key, "of the file")
	}
	// Output:
	// fc.bias is model.fc.bias of the file
}
