// Package toy is the walk of CONTRIBUTING.md, "Add a format": a reader for a format that
// nobody has, small enough to be read in a minute. A toy file is a line of JSON, which
// lists the tensors, and after it their bytes, one after the other:
//
//	{"toy": 1, "tensors": [{"key": "a.b", "shape": [2, 2]}]}⏎ 16 bytes of float32
package toy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// maxHeader bounds the line: whoever writes the file decides how long it is.
const maxHeader = 1 << 20

const magic = `{"toy": 1,`

// Format is the row in the table of formats/open.go.
func Format() checkpoint.Format {
	return checkpoint.Format{Name: "toy", Detect: detect, Open: open}
}

func detect(prefix []byte, _ segment.Data) checkpoint.Match {
	if bytes.HasPrefix(prefix, []byte(magic)) {
		return checkpoint.Certain
	}
	return checkpoint.No
}

// open reads the header. Every number in it is a claim until it is held against the bytes
// that are there.
func open(src source.Source) (*checkpoint.Checkpoint, error) {
	head := make([]byte, min(maxHeader, src.Size()))
	if err := segment.ReadFull(src, head, 0); err != nil {
		return nil, err
	}
	line, _, ended := bytes.Cut(head, []byte("\n"))
	if !ended {
		return nil, errors.New("its header has no end")
	}
	var header struct {
		Tensors []struct {
			Key   string  `json:"key"`
			Shape []int64 `json:"shape"`
		} `json:"tensors"`
	}
	if err := json.Unmarshal(line, &header); err != nil {
		return nil, errors.New("its header is not JSON")
	}
	c := &checkpoint.Checkpoint{Format: "toy", Source: src, Separator: ".", Framework: "pt"}
	at := int64(len(line) + 1)
	seen := map[string]bool{}
	for _, t := range header.Tensors {
		size, err := checkpoint.ByteSize(checkpoint.F32, t.Shape)
		switch {
		case err != nil:
			return nil, fmt.Errorf("tensor %.100q: %w", t.Key, err)
		case seen[t.Key]:
			return nil, fmt.Errorf("two tensors are called %.100q", t.Key)
		case size > src.Size()-at:
			return nil, fmt.Errorf("tensor %.100q takes %d bytes, %d are left", t.Key, size, src.Size()-at)
		}
		seen[t.Key] = true
		c.Tensors = append(c.Tensors, &checkpoint.Tensor{
			Key: t.Key, DType: checkpoint.F32, Shape: t.Shape, Data: segment.NewRange(src, at, size),
		})
		at += size
	}
	if at < src.Size() {
		return nil, fmt.Errorf("%d bytes follow its last tensor", src.Size()-at)
	}
	return c, nil
}
