package audit

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"

	"wfs/formats/segment"
	"wfs/formats/zip"
)

// compression is a kind of compressed stream.
type compression struct {
	name, magic string
	// weak reports whether other bytes begin so, too.
	weak bool
	// open is nil where wfs does not inflate it.
	open func(r io.Reader) (io.Reader, error)
}

// maxWindow is the most memory that a stream may have its reader hold for references.
const maxWindow = 128 << 20

// compressions are what Python's libraries write pickles into: joblib takes the first five
// and lz4 (joblib/compressor.py), pandas zstd.
func compressions() []compression {
	zlibReader := func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }
	return []compression{
		{"zlib", "\x78\x01", true, zlibReader},
		{"zlib", "\x78\x5e", true, zlibReader},
		{"zlib", "\x78\x9c", true, zlibReader},
		{"zlib", "\x78\xda", true, zlibReader},
		{"gzip", "\x1f\x8b", false, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"bzip2", "BZh", true, func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
		{"xz", "\xfd7zXZ\x00", false, newXZ},
		{"lzma", "\x5d\x00\x00", true, func(r io.Reader) (io.Reader, error) {
			return lzma.ReaderConfig{DictCap: maxWindow}.NewReader(r)
		}},
		{"lz4", "\x04\x22\x4d\x18", false, func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }},
		{"zstd", "\x28\xb5\x2f\xfd", false, newZstd},
		{"joblib's old zlib", "ZF0x", false, newOldJoblib},
		{"lz4 (old)", "\x02\x21\x4c\x18", false, nil},
		{"7z", "7z\xbc\xaf\x27\x1c", false, nil},
		{"rar", "Rar!\x1a\x07", false, nil},
		{"lzip", "LZIP\x01", false, nil},
		{"lzop", "\x89LZO\x00", false, nil},
		{"snappy", "\xff\x06\x00\x00sNaPpY", false, nil},
		{"compress", "\x1f\x9d\x90", false, nil},
	}
}

func newZstd(r io.Reader) (io.Reader, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// newOldJoblib reads what joblib wrote before 0.10: ZF, the length in hexadecimal in 19
// characters, and a stream of zlib (joblib/numpy_pickle_compat.py, read_zfile).
func newOldJoblib(r io.Reader) (io.Reader, error) {
	const header = 2 + 19
	b := make([]byte, header+1)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	if b[header] == ' ' {
		return zlib.NewReader(r)
	}
	return zlib.NewReader(io.MultiReader(bytes.NewReader(b[header:]), r))
}

// methodOf is how a record of a zip is compressed that package zip does not read, and
// zipfile of Python does (APPNOTE.TXT 4.4.5).
func methodOf(rec *zip.Record) compression {
	switch rec.Method {
	case 12:
		return compression{name: "bzip2", open: func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }}
	case 14:
		return compression{name: "lzma", open: newZipLZMA}
	case 93:
		return compression{name: "zstd", open: newZstd}
	case 95:
		return compression{name: "xz", open: newXZ}
	}
	return compression{}
}

// newZipLZMA reads a stream whose header is a version, the length of the properties, and these
// (APPNOTE.TXT 5.8.8). It ends at a marker, or where the record ends.
func newZipLZMA(r io.Reader) (io.Reader, error) {
	var h [9]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	if h[2] != 5 || h[3] != 0 {
		return nil, fmt.Errorf("its properties have %d bytes", int(h[2])|int(h[3])<<8)
	}
	alone := append(h[4:9:9], bytes.Repeat([]byte{0xff}, 8)...)
	return lzma.ReaderConfig{DictCap: maxWindow}.NewReader(io.MultiReader(bytes.NewReader(alone), r))
}

// maxStream is the most bytes of a stream that are inflated, and held.
const maxStream = 256 << 20

// compressed reports on what a compressed stream inflates to. It reports whether the bytes
// are one.
func (s *scanner) compressed(data segment.Data, head []byte, name string, depth int) bool {
	for _, c := range compressions() {
		if !strings.HasPrefix(string(head), c.magic) {
			continue
		}
		if c.open == nil {
			s.note("%s is compressed with %s: it is not looked into", label(name), c.name)
			return true
		}
		out, err := s.inflate(data, c)
		if c.weak && (len(out) == 0 || err != nil && !errors.Is(err, errTooLong) && !s.holdsPickles(out)) {
			continue // other bytes that begin so
		}
		if err != nil {
			s.note("%s is compressed with %s: %v: it is looked into as far as that", label(name), c.name, err)
		}
		title := inside(name, "from %s", c.name)
		if name == "" {
			title = c.name
		}
		s.lookInside(segment.Literal(out), title, depth+1, asFile)
		return true
	}
	return false
}

var errTooLong = errors.New("it inflates to more than wfs reads")

// inflate reads a stream into memory, within the budget. What it returns with an error is
// what came before it.
func (s *scanner) inflate(data segment.Data, c compression) (out []byte, err error) {
	limit := min(maxStream, s.budget.inflated)
	var b bytes.Buffer
	defer func() {
		out = b.Bytes()
		s.budget.inflated -= int64(len(out))
		if r := recover(); r != nil { // the libraries are others'
			err = fmt.Errorf("its reader fails: %.100v", r)
		}
	}()
	r, err := c.open(io.NewSectionReader(data, 0, data.Size()))
	if err != nil {
		return nil, err
	}
	if closer, ok := r.(io.Closer); ok {
		defer closer.Close()
	}
	if _, err = io.Copy(&b, io.LimitReader(r, limit)); err != nil {
		return nil, err
	}
	if int64(b.Len()) == limit {
		return nil, errTooLong
	}
	return nil, nil
}

// holdsPickles reports whether anything is found in bytes, and leaves no trace of it.
func (s *scanner) holdsPickles(out []byte) bool {
	before := *s
	s.lookInside(segment.Literal(out), "", maxDepth-1, asBytes)
	found := s.found() > before.found() || s.verdict > before.verdict
	spent := s.budget
	*s = before
	s.budget.ops, s.budget.inflated, s.budget.looks = spent.ops, spent.inflated, spent.looks
	return found
}
