package segment

import (
	"errors"
	"io"
)

// Data is a run of bytes that can be read at any offset, by any number of
// goroutines at once. ReadAt follows io.ReaderAt.
type Data interface {
	io.ReaderAt
	// Size is the exact number of bytes.
	Size() int64
}

var errNegative = errors.New("negative offset")

// Clip cuts p to what lies between off and size. atEnd is io.EOF when p was cut.
func Clip(p []byte, off, size int64) (cut []byte, atEnd, err error) {
	switch {
	case off < 0:
		return nil, nil, errNegative
	case off >= size:
		return nil, nil, io.EOF
	case int64(len(p)) > size-off:
		return p[:size-off], io.EOF, nil
	}
	return p, nil, nil
}

// Literal is bytes held in memory: a header, an index file.
type Literal []byte

// Size implements Data.
func (l Literal) Size() int64 { return int64(len(l)) }

// ReadAt implements Data.
func (l Literal) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, l.Size())
	if err != nil {
		return 0, err
	}
	return copy(p, l[off:]), atEnd
}

// ReadCached implements Cached.
func (l Literal) ReadCached(p []byte, off int64) (int, error) { return l.ReadAt(p, off) }

// Range is N bytes at offset Off of a source.
type Range struct {
	Src    io.ReaderAt
	Off, N int64
}

// NewRange is n bytes at offset off of src, which has them. A range of a range is one of
// what that is in.
func NewRange(src io.ReaderAt, off, n int64) *Range {
	if r, ok := src.(*Range); ok {
		src, off = r.Src, r.Off+off
	}
	return &Range{Src: src, Off: off, N: n}
}

// Size implements Data.
func (r *Range) Size() int64 { return r.N }

// ReadAt implements Data.
func (r *Range) ReadAt(p []byte, off int64) (int, error) {
	return r.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements Composite.
func (r *Range) ReadWith(read ReadFunc, p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, r.N)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := read(r.Src, p, r.Off+off)
	if n == len(p) {
		return n, atEnd
	}
	return n, missing(err)
}
