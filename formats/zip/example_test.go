package zip_test

import (
	stdzip "archive/zip"
	"bytes"
	"fmt"

	"wfs/formats/segment"
	"wfs/formats/zip"
)

// Records are found by the directory at the end of a file, and read at any offset,
// whether they are stored or deflated.
func ExampleOpen() {
	var file bytes.Buffer
	w := stdzip.NewWriter(&file)
	for _, method := range []uint16{zip.Stored, zip.Deflated} {
		r, err := w.CreateHeader(&stdzip.FileHeader{Name: fmt.Sprintf("archive/data/%d", method), Method: method})
		if err != nil {
			fmt.Println(err)
			return
		}
		r.Write(bytes.Repeat([]byte("weights "), 1000))
	}
	w.Close()

	archive, err := zip.Open(segment.Literal(file.Bytes()), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range archive.Records {
		record := &archive.Records[i]
		data, err := archive.Data(record)
		if err != nil {
			fmt.Println(err)
			return
		}
		p := make([]byte, 7)
		err = segment.ReadFull(data, p, 4000)
		fmt.Println(record.Name, data.Size(), zip.Inflates(data), string(p), err)
	}
	// Output:
	// archive/data/0 8000 false weights <nil>
	// archive/data/8 8000 true weights <nil>
}
