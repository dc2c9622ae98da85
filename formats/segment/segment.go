// Package segment is the read path. Every virtual file (a .npy, a raw file, a
// shard, the whole view) is one Data: an ordered list of literal bytes, ranges
// of a source and gathered, swapped or cast ranges, read at any offset with
// memory that depends on the request and never on the file.
package segment

import (
	"fmt"
	"io"

	"wfs/formats/source"
)

// Data is a run of bytes that can be read at any offset, by any number of
// goroutines at once. ReadAt follows io.ReaderAt.
type Data interface {
	io.ReaderAt
	// Size is the exact number of bytes.
	Size() int64
}

// Cached is Data, or a source, that can be read as far as it is in memory.
type Cached interface {
	// ReadCached is ReadAt that waits for no device. Where that would take one the error
	// is source.ErrNotCached, and p may be written to.
	ReadCached(p []byte, off int64) (int, error)
}

// ReadFunc is one of the two ways to read.
type ReadFunc func(r io.ReaderAt, p []byte, off int64) (int, error)

// ReadCached reads r if it is Cached, and else nothing.
func ReadCached(r io.ReaderAt, p []byte, off int64) (int, error) {
	if c, ok := r.(Cached); ok {
		return c.ReadCached(p, off)
	}
	return 0, source.ErrNotCached
}

// Literal is bytes held in memory: a header, an index file.
type Literal []byte

// Size implements Data.
func (l Literal) Size() int64 { return int64(len(l)) }

// ReadAt implements Data.
func (l Literal) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := source.Clip(p, off, l.Size())
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
func (r *Range) ReadAt(p []byte, off int64) (int, error) { return r.read(p, off, io.ReaderAt.ReadAt) }

// ReadCached implements Cached.
func (r *Range) ReadCached(p []byte, off int64) (int, error) { return r.read(p, off, ReadCached) }

func (r *Range) read(p []byte, off int64, read ReadFunc) (int, error) {
	p, atEnd, err := source.Clip(p, off, r.N)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := read(r.Src, p, r.Off+off)
	if n == len(p) {
		return n, atEnd
	}
	return n, missing(err)
}

// missing turns the end of a source, where bytes were promised, into an error.
func missing(err error) error {
	if err == nil || err == io.EOF {
		return fmt.Errorf("source ends early: %w", io.ErrUnexpectedEOF)
	}
	return err
}
