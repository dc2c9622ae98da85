package audit

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"

	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/zip"
)

// compression is how a kind of stream is read that package pickle tells by its first bytes.
type compression struct {
	name string
	// weak reports whether other bytes begin so, too.
	weak bool
	// probed reports whether so many do that what it inflates to is looked at first.
	probed bool
	// single reports whether open reads one stream of several that follow each other, and
	// no byte more.
	single bool
	// open is nil where wfs does not inflate it.
	open func(in *input) (io.Reader, error)
}

// maxWindow is the most memory that a stream may have its reader hold for references.
const maxWindow = 128 << 20

// compressionOf is how wfs reads what package pickle calls kind. Python's libraries write
// pickles into these: joblib takes the first five and lz4 (joblib/compressor.py), pandas zstd.
func compressionOf(kind, head string) compression {
	c := compression{name: kind}
	switch kind {
	case "zlib":
		c.open, c.weak, c.single = func(in *input) (io.Reader, error) { return zlib.NewReader(in) }, true, true
	case "gzip":
		c.open = func(in *input) (io.Reader, error) { return gzip.NewReader(in) }
	case "bzip2":
		c.open = func(in *input) (io.Reader, error) { return bzip2.NewReader(in), nil }
	case "xz":
		c.open, c.single = newXZ, true
	case "lzma":
		c.open = func(in *input) (io.Reader, error) { return lzma.ReaderConfig{DictCap: maxWindow}.NewReader(in) }
		c.weak, c.single = true, true
		c.probed = !strings.HasPrefix(head, "\x5d\x00\x00") // what everyone writes, and joblib goes by
	case "lz4":
		c.open = func(in *input) (io.Reader, error) { return lz4.NewReader(in), nil }
	case "snappy":
		c.open = func(in *input) (io.Reader, error) { return s2.NewReader(in), nil }
	case "zstd":
		c.open = newZstd
	case "skippable frames":
		c.open = newSkipping
	case "joblib's old zlib":
		c.open = newOldJoblib
	}
	return c
}

// newSkipping reads what stands after frames that readers of zstd and of lz4 skip.
func newSkipping(in *input) (io.Reader, error) {
	for {
		head, err := in.Peek(8)
		if err != nil {
			return nil, errors.New("nothing follows its frames")
		}
		kinds := pickle.Packed(string(head))
		switch {
		case len(kinds) == 0:
			return nil, errors.New("neither zstd nor lz4 follows its frames")
		case kinds[0] == "zstd" || kinds[0] == "lz4":
			return compressionOf(kinds[0], "").open(in)
		case kinds[0] != "skippable frames":
			return nil, fmt.Errorf("%s follows its frames", kinds[0])
		}
		if _, err := io.CopyN(io.Discard, in, 8+int64(binary.LittleEndian.Uint32(head[4:]))); err != nil {
			return nil, err
		}
	}
}

func newZstd(in *input) (io.Reader, error) {
	d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// newOldJoblib reads what joblib wrote before 0.10: ZF, the length in hexadecimal in 19
// characters, and a stream of zlib (joblib/numpy_pickle_compat.py, read_zfile).
func newOldJoblib(r *input) (io.Reader, error) {
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
		return compression{name: "bzip2", open: func(r *input) (io.Reader, error) { return bzip2.NewReader(r), nil }}
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
func newZipLZMA(r *input) (io.Reader, error) {
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

// compressed reports on what a compressed stream inflates to, and on an archive that it is
// one. It reports whether the bytes are either.
func (s *scanner) compressed(data segment.Data, head []byte, name string, depth int) bool {
	for _, kind := range pickle.Packed(string(head)) {
		c := compressionOf(kind, string(head))
		if c.open == nil {
			s.note("%s is packed with %s: it is not looked into", place(name), c.name)
			return true
		}
		if c.probed && !worthInflating(data, c) {
			continue
		}
		out, end, err := s.inflate(data, c)
		if c.weak && (len(out) == 0 || err != nil && !errors.Is(err, errTooLong) && !s.holdsPickles(out)) {
			continue // other bytes that begin so
		}
		if err != nil {
			s.note("%s is compressed with %s: %v: it is looked into as far as that", place(name), c.name, err)
		}
		title := inside(name, "from %s", c.name)
		if name == "" {
			title = c.name
		}
		s.lookInside(segment.Literal(out), title, depth+1, asFile)
		if err == nil && c.single && end < data.Size() {
			s.tail(data, end, place(name), depth)
		}
		return true
	}
	return false
}

var errTooLong = errors.New("it inflates to more than wfs reads")

// input is the bytes of a stream, and knows how many of them its readers took.
type input struct {
	*bufio.Reader
	under *counter
}

// counter knows how much was read of it.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func newInput(r io.Reader) *input {
	c := &counter{r: r}
	return &input{bufio.NewReader(c), c}
}

// offset is how many bytes were taken.
func (in *input) offset() int64 { return in.under.n - int64(in.Buffered()) }

// again reports whether another stream of the kind follows. Zeros may stand before it
// (xz-file-format.txt 2.2).
func (in *input) again(kind string) bool {
	for {
		head, _ := in.Peek(headLen)
		if len(head) == 0 {
			return false
		}
		zeros := len(head) - len(bytes.TrimLeft(head, "\x00"))
		if zeros == 0 || kind != "xz" {
			return slices.Contains(pickle.Packed(string(head)), kind)
		}
		if _, err := in.Discard(zeros); err != nil {
			return false
		}
	}
}

// inflate reads a stream into memory, within the budget. What it returns with an error is
// what came before it; end is where it ends in data.
func (s *scanner) inflate(data segment.Data, c compression) (out []byte, end int64, err error) {
	limit := min(maxStream, s.budget.inflated)
	var b bytes.Buffer
	defer func() {
		out = b.Bytes()
		s.budget.inflated -= int64(len(out))
	}()
	in := newInput(io.NewSectionReader(data, 0, data.Size()))
	for streams := 0; ; streams++ {
		n, err := copyStream(&b, in, c, limit)
		switch {
		case errors.Is(err, errTooLong):
			return nil, 0, err
		case err != nil && c.weak && streams > 0 && n == 0: // other bytes that begin so
			return nil, end, nil
		case err != nil:
			return nil, 0, err
		}
		end = in.offset()
		if !c.single || !in.again(c.name) {
			return nil, end, nil
		}
		if s.budget.looks--; s.budget.looks <= 0 {
			s.budget.looks = 0
			return nil, 0, errTooLong
		}
	}
}

// copyStream inflates one stream, until b has limit bytes.
func copyStream(b *bytes.Buffer, in *input, c compression, limit int64) (n int64, err error) {
	defer func() {
		if r := recover(); r != nil { // the libraries are others'
			err = fmt.Errorf("its reader fails: %.100v", r)
		}
	}()
	r, err := c.open(in)
	if err != nil {
		return 0, err
	}
	if closer, ok := r.(io.Closer); ok {
		defer closer.Close()
	}
	n, err = io.Copy(b, io.LimitReader(r, limit-int64(b.Len())))
	if err == nil && int64(b.Len()) == limit {
		err = errTooLong
	}
	return n, err
}

// worthInflating reports whether the first bytes that a stream of lzma inflates to could be
// a pickle, or a file of pickles. No more is held for them than they are.
func worthInflating(data segment.Data, c compression) bool {
	const header = 13
	head := make([]byte, header)
	if segment.ReadFull(data, head, 0) != nil {
		return false
	}
	binary.LittleEndian.PutUint32(head[1:], lzma.MinDictCap)
	var b bytes.Buffer
	rest := io.NewSectionReader(data, header, data.Size()-header)
	_, _ = copyStream(&b, newInput(io.MultiReader(bytes.NewReader(head), rest)), c, headLen) // the bytes tell
	first := b.String()
	guess, _ := pickle.GuessAt(first, maxStream)
	return guess != pickle.NotPickle || pickle.LooksLikePickle(b.Bytes()) || pickle.HasMagic(first)
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
