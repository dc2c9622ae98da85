package segment_test

import (
	"bytes"
	"fmt"
	"strings"

	"wfs/formats/segment"
)

// A file that is put together from a header and pieces of a source: nothing is copied
// until somebody reads, and then only what was asked for.
func ExampleNewList() {
	source := strings.NewReader("....first....second....")
	file, err := segment.NewList(
		segment.Literal("header|"),
		segment.NewRange(source, 13, 6),
		segment.Literal("|"),
		segment.NewRange(source, 4, 5),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := make([]byte, 8)
	if err := segment.ReadFull(file, p, 5); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d bytes, of which 8 at 5 are %q\n", file.Size(), p)
	// Output:
	// 19 bytes, of which 8 at 5 are "r|second"
}

// A matrix of two rows and three columns, and its transpose: the same bytes of the source
// in another order. What lies there as it is served becomes a plain Range.
func ExampleNewStrided() {
	source := bytes.NewReader([]byte("adgbeh"))
	matrix, err := segment.NewStrided(nil, source, 6, 0, 1, []int64{2, 3}, []int64{3, 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	transposed, err := segment.NewStrided(nil, source, 6, 0, 1, []int64{3, 2}, []int64{1, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range []segment.Data{matrix, transposed} {
		p := make([]byte, d.Size())
		err := segment.ReadFull(d, p, 0)
		fmt.Printf("%T: %s %v\n", d, p, err)
	}
	// Output:
	// *segment.Range: adgbeh <nil>
	// *segment.Strided: abdegh <nil>
}

// Big-endian numbers, served as little-endian ones.
func ExampleSwap() {
	little := segment.Swap(segment.Literal{0, 0, 0, 1, 0, 0, 0, 2}, 4)
	p := make([]byte, 8)
	fmt.Println(segment.ReadFull(little, p, 0), p)
	// Output:
	// <nil> [1 0 0 0 2 0 0 0]
}
