package zip

import (
	"fmt"
	"io"
	"sync/atomic"

	"wfs/formats/segment"
)

// late is the bytes of a stored record of a file that is far away. The header in front of them,
// which alone tells where they begin, is read with the first of them: a round trip for each
// record of a model would take minutes.
type late struct {
	archive *Archive
	rec     *Record
	found   atomic.Pointer[segment.Range]
}

var (
	_ segment.Composite = (*late)(nil)
	_ segment.Distant   = (*late)(nil)
)

// Size implements segment.Data.
func (l *late) Size() int64 { return l.rec.Compressed }

// ReadAt implements segment.Data.
func (l *late) ReadAt(p []byte, off int64) (int, error) {
	return l.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements segment.Composite.
func (l *late) ReadWith(read segment.ReadFunc, p []byte, off int64) (int, error) {
	r := l.found.Load()
	if r == nil {
		var h [localLen]byte
		if n, err := read(l.archive.r, h[:], l.rec.header); n < len(h) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, fmt.Errorf("record %s: %w", l.rec.Name, err)
		}
		local, err := l.archive.parseLocal(l.rec, h[:])
		if err != nil {
			return 0, err
		}
		r = segment.NewRange(l.archive.r, local.data, l.rec.Compressed)
		l.found.Store(r)
	}
	return r.ReadWith(read, p, off)
}

// Prefetch implements segment.Distant: from the header on, where its length is not known.
func (l *late) Prefetch(off, n int64) {
	at, more := l.rec.header+localLen+int64(len(l.rec.Name)), int64(0)
	if r := l.found.Load(); r != nil {
		at = r.Off
	} else if more = localLen; off == 0 {
		at = l.rec.header
	}
	if far, ok := l.archive.r.(segment.Distant); ok {
		far.Prefetch(at+off, n+more)
	}
}
