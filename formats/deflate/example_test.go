package deflate_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"

	"wfs/formats/deflate"
)

// Ten bytes from the middle of a stream. What was decoded on the way there is kept, so
// that reads nearby do not begin at the start again.
func ExampleNew() {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		fmt.Println(err)
		return
	}
	plain := bytes.Repeat([]byte("0123456789"), 100_000)
	w.Write(plain)
	w.Close()

	cache := deflate.NewCache() // one for all streams of a program
	stream := deflate.New(cache, bytes.NewReader(packed.Bytes()), int64(packed.Len()), int64(len(plain)))
	p := make([]byte, 10)
	n, err := stream.ReadAt(p, 500_003)
	fmt.Println(n, err, string(p))
	// Output:
	// 10 <nil> 3456789012
}

// A chunk of an HDF5 file is a zlib stream, whose size is known before.
func ExampleZlib() {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write([]byte("a chunk"))
	w.Close()
	p := make([]byte, 7)
	fmt.Println(deflate.Zlib(p, packed.Bytes()), string(p))
	fmt.Println(deflate.Zlib(make([]byte, 8), packed.Bytes()))
	// Output:
	// <nil> a chunk
	// the deflate stream inflates to another size
}
