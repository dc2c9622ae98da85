package numpy

import (
	"bufio"
	"io"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// Format is the reader of .npy files. What arrays in Fortran order have read is kept in bands,
// which may be nil.
func Format(bands *segment.Bands) checkpoint.Format {
	return checkpoint.Format{Name: "npy", Detect: detect, Open: func(src source.Source) (*checkpoint.Checkpoint, error) {
		out := &checkpoint.Checkpoint{Format: "npy", Source: src, Separator: ".", Framework: "pt"}
		c := newCollector(out, bands)
		if err := c.file("", src); err != nil {
			return nil, err
		}
		c.finish()
		return out, nil
	}}
}

// file lists what a .npy file holds.
func (c *collector) file(key string, src segment.Data) error {
	h, err := readHeader(section(src), src.Size())
	if err != nil {
		return err
	}
	return c.array(key, h, src)
}

func detect(prefix []byte, _ segment.Data) checkpoint.Match {
	if strings.HasPrefix(string(prefix), magic) {
		return checkpoint.Certain
	}
	return checkpoint.No
}

// headerRead is how much is read at once for a header: most have 128 bytes.
const headerRead = 512

// section reads data from its beginning.
func section(data segment.Data) *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(data, 0, data.Size()), headerRead)
}
