package numpy

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// ArchiveFormat is the reader of .npz files. What is inflated of them is kept in cache, and
// what arrays in Fortran order have read in bands; either may be nil.
func ArchiveFormat(cache *deflate.Cache, bands *segment.Bands) checkpoint.Format {
	return checkpoint.Format{Name: "npz", Detect: detectArchive, Open: func(src source.Source) (*checkpoint.Checkpoint, error) {
		return openArchive(src, cache, bands)
	}}
}

// localLen is the length of a local header without its name (APPNOTE.TXT, §4.3.7).
const localLen = 30

// detectArchive looks at the first member: a zip file of NumPy begins with an array, and one
// of torch, which may have a hundred thousand members, with none. Others are listed.
func detectArchive(prefix []byte, file segment.Data) checkpoint.Match {
	if !bytes.HasPrefix(prefix, []byte(zip.Magic)) || len(prefix) < localLen {
		return checkpoint.No
	}
	name, extra := int(prefix[26])|int(prefix[27])<<8, int(prefix[28])|int(prefix[29])<<8
	first := prefix[localLen:min(len(prefix), localLen+name)]
	data := prefix[min(len(prefix), localLen+name+extra):]
	switch {
	case bytes.HasSuffix(first, []byte(".npy")) && len(first) == name, bytes.HasPrefix(data, []byte(magic)):
		return checkpoint.Certain
	case bytes.HasSuffix(first, []byte("/data.pkl")), bytes.Contains(first, []byte("/.")):
		return checkpoint.No
	}
	z, err := zip.Open(file, nil)
	if err != nil {
		return checkpoint.No
	}
	arrays, others := 0, 0
	for i := range z.Records {
		switch name := z.Records[i].Name; {
		case strings.HasSuffix(name, "data.pkl"):
			return checkpoint.No
		case strings.HasSuffix(name, ".npy"):
			arrays++
		case !strings.HasSuffix(name, "/"):
			others++
		}
	}
	if arrays > others {
		return checkpoint.Certain
	}
	return checkpoint.No
}

func openArchive(src source.Source, cache *deflate.Cache, bands *segment.Bands) (*checkpoint.Checkpoint, error) {
	z, err := zip.Open(src, cache)
	if err != nil {
		return nil, err
	}
	out := &checkpoint.Checkpoint{Format: "npz", Source: src, Separator: ".", Framework: "pt"}
	c := newCollector(out, bands)
	names := make(map[string]bool, len(z.Records))
	for i := range z.Records {
		name := z.Records[i].Name
		if names[name] { // Python's zipfile takes the last, others the first
			return nil, fmt.Errorf("member %.200q occurs twice", name)
		}
		names[name] = true
	}
	reader := z.Reader()
	for i := range z.Records {
		rec := &z.Records[i]
		if strings.HasSuffix(rec.Name, "/") && rec.Size == 0 {
			continue
		}
		if err := c.member(src, reader, rec, names); err != nil {
			return nil, fmt.Errorf("member %.200q: %w", rec.Name, err)
		}
	}
	if c.arrays == 0 {
		return nil, errors.New("none of its members is an array of NumPy")
	}
	for _, t := range out.Tensors {
		if strings.Contains(t.Key, "/") {
			out.Separator = "/"
		}
	}
	c.finish()
	return out, nil
}

// member lists the array of a member, whose key is its name without one .npy at the end.
// Whether it is an array its bytes say, as for numpy.load.
func (c *collector) member(src source.Source, reader *zip.Reader, rec *zip.Record, names map[string]bool) error {
	data, err := reader.Data(rec)
	if err != nil {
		return err
	}
	in := section(data)
	if rec.Method == zip.Deflated { // the beginning alone, and nothing that is kept
		off, n, err := reader.Extent(rec)
		if err != nil {
			return err
		}
		in = bufio.NewReaderSize(flate.NewReader(io.NewSectionReader(src, off, n)), headerRead)
	}
	head, err := in.Peek(len(magic))
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if string(head) != magic {
		c.out.Unpickled = true // whoever loads it may unpickle it
		c.out.Omitted = append(c.out.Omitted, checkpoint.Omitted{Key: rec.Name, Reason: "member that is no array"})
		return nil
	}
	h, err := readHeader(in, data.Size())
	if err != nil {
		return err
	}
	key := strings.TrimSuffix(rec.Name, ".npy")
	if key != rec.Name && names[key] || key == "" {
		key = rec.Name
	}
	return c.array(key, h, data)
}
