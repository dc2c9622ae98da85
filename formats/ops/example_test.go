package ops_test

import (
	"encoding/binary"
	"fmt"
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// numbered is an array of the float32 0, 1, 2 …
func numbered(shape ...int64) ops.Array {
	count, _ := segment.Count(shape)
	var b []byte
	for i := range count {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i)))
	}
	return ops.Array{DType: checkpoint.F32, Shape: shape, Data: segment.Literal(b)}
}

func show(a ops.Array) {
	b := make([]byte, a.Data.Size())
	if err := segment.ReadFull(a.Data, b, 0); err != nil {
		panic(err)
	}
	fmt.Print(a, ":")
	for ; len(b) > 0; b = b[4:] {
		fmt.Print(" ", math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	fmt.Println()
}

// The rows of Llama's queries, two heads of four, from the order of Meta's files to that of
// transformers.
func ExamplePermute() {
	q := numbered(8, 1)
	a, err := ops.Reshape(q, 2, -1, 2, 1)
	if err == nil {
		a, err = ops.Permute(a, 0, 2, 1, 3)
	}
	if err == nil {
		a, err = ops.Reshape(a, -1, 1)
	}
	if err != nil {
		panic(err)
	}
	show(a)
	// Output: F32 [8, 1]: 0 2 1 3 4 6 5 7
}

// Three tenths of a model, and seven of another.
func ExampleAdd() {
	a, err := ops.Transpose(numbered(2, 3))
	if err != nil {
		panic(err)
	}
	sum, err := ops.Scale(a, 0.3)
	if err == nil {
		sum, err = ops.Add(sum, numbered(3, 2), 0.7)
	}
	if err != nil {
		panic(err)
	}
	show(sum)
	// Output: F32 [3, 2]: 0 1.6 1.7 3.3 3.4 5
}

// What one of two ranks has of gate and up, which are one matrix.
func ExampleRank() {
	part, err := ops.Rank(numbered(8, 1), 0, 1, 2, 4, 4)
	if err != nil {
		panic(err)
	}
	show(part)
	// Output: F32 [4, 1]: 2 3 6 7
}
