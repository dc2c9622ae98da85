// Package segment is the read path. Every virtual file (a .npy, a raw file, a
// shard, the whole view) is one Data: an ordered list of literal bytes, ranges
// of a source and gathered, swapped or cast ranges, read at any offset with
// memory that depends on the request and never on the file.
package segment

import (
	"errors"
	"fmt"
	"io"
	"sort"
)

// Data is a run of bytes that can be read at any offset, by any number of
// goroutines at once. ReadAt follows io.ReaderAt.
type Data interface {
	io.ReaderAt
	// Size is the exact number of bytes.
	Size() int64
}

// Literal is bytes held in memory: a header, an index file.
type Literal []byte

// Size implements Data.
func (l Literal) Size() int64 { return int64(len(l)) }

// ReadAt implements Data.
func (l Literal) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegative
	}
	if off >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(p, l[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Range is N bytes at offset Off of a source.
type Range struct {
	Src    io.ReaderAt
	Off, N int64
}

// Size implements Data.
func (r *Range) Size() int64 { return r.N }

// ReadAt implements Data.
func (r *Range) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := clip(p, off, r.N)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	n, err := r.Src.ReadAt(p, r.Off+off)
	if n == len(p) {
		return n, atEnd
	}
	return n, missing(err)
}

// List is segments one behind the other.
type List struct {
	parts []Data
	ends  []int64 // ends[i] is the offset just behind parts[i]
}

// NewList concatenates parts. Empty parts are dropped. An overflowing total is an error.
func NewList(parts ...Data) (*List, error) {
	l := &List{parts: make([]Data, 0, len(parts)), ends: make([]int64, 0, len(parts))}
	var end int64
	for _, part := range parts {
		n := part.Size()
		if n == 0 {
			continue
		}
		if n < 0 || end+n < end {
			return nil, errors.New("segments are larger than a file can be")
		}
		end += n
		l.parts = append(l.parts, part)
		l.ends = append(l.ends, end)
	}
	return l, nil
}

// Size implements Data.
func (l *List) Size() int64 {
	if len(l.ends) == 0 {
		return 0
	}
	return l.ends[len(l.ends)-1]
}

// ReadAt implements Data: a binary search for the first segment, then onward.
func (l *List) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := clip(p, off, l.Size())
	if err != nil || len(p) == 0 {
		return 0, err
	}
	i := sort.Search(len(l.ends), func(i int) bool { return l.ends[i] > off })
	done := 0
	for done < len(p) {
		start := l.ends[i] - l.parts[i].Size()
		want := min(int64(len(p)-done), l.ends[i]-off)
		n, err := l.parts[i].ReadAt(p[done:done+int(want)], off-start)
		done += n
		if int64(n) < want {
			return done, missing(err)
		}
		off += want
		i++
	}
	return done, atEnd
}

var errNegative = errors.New("negative offset")

// clip cuts p to what lies between off and size. atEnd is io.EOF when p was cut.
func clip(p []byte, off, size int64) (cut []byte, atEnd, err error) {
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

// missing turns the end of a source, where bytes were promised, into an error.
func missing(err error) error {
	if err == nil || err == io.EOF {
		return fmt.Errorf("source ends early: %w", io.ErrUnexpectedEOF)
	}
	return err
}
