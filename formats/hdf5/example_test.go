package hdf5_test

import (
	"fmt"
	"os"

	"wfs/formats/hdf5"
)

// The datasets of a file and two elements of each: one by a hard link, one by a soft link.
func ExampleOpen() {
	f, err := os.Open("testdata/seed-old.h5")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := hdf5.Open(f, info.Size(), hdf5.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = file.Walk(func(path string, obj hdf5.Object) error {
		if d, ok := obj.(*hdf5.Dataset); ok && d.Unsupported() == "" {
			p := make([]byte, 8)
			n, err := d.ReadAt(p, 16)
			fmt.Println(path, d.Dims, d.Size(), p[:n], err)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// plain [5 6] 120 [0 0 128 64 0 0 160 64] <nil>
	// soft [5 6] 120 [0 0 128 64 0 0 160 64] <nil>
}
