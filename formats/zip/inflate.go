package zip

import (
	"bufio"
	"compress/flate"
	"fmt"
	"io"
	"sync"

	"wfs/formats/segment"
)

// maxInflation is more than deflate can reach: 1032 bytes out of one
// (zlib's technical notes, "Maximum Compression Factor").
const maxInflation = 1032

// maxCursors bounds the decoders of an archive that wait for the next request;
// each holds about 80 KiB.
const maxCursors = 64

// inflated is a deflated record. Deflate has no index: a read goes on from the
// nearest decoder that stands before it, so sequential readers (several at once)
// cost one pass and a jump backwards costs a pass from the start.
type inflated struct {
	raw  segment.Data
	size int64
	name string
	pool *cursorPool
}

// Inflates says whether data is inflated while it is read.
func Inflates(data segment.Data) bool {
	_, ok := data.(*inflated)
	return ok
}

// Size implements segment.Data.
func (f *inflated) Size() int64 { return f.size }

// ReadAt implements segment.Data.
func (f *inflated) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("record %s: negative offset", f.name)
	}
	if off >= f.size {
		return 0, io.EOF
	}
	var atEnd error
	if int64(len(p)) > f.size-off {
		p, atEnd = p[:f.size-off], io.EOF
	}
	c := f.pool.take(f, off)
	if _, err := io.CopyN(io.Discard, c.stream, off-c.pos); err != nil {
		return 0, f.fault(err)
	}
	n, err := io.ReadFull(c.stream, p)
	if err != nil {
		return n, f.fault(err)
	}
	c.pos = off + int64(n)
	f.pool.put(c)
	return n, atEnd
}

func (f *inflated) fault(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("record %s inflates to fewer than its %d bytes", f.name, f.size)
	}
	return fmt.Errorf("record %s: %w", f.name, err)
}

// cursor is a decoder that stands at pos of a record.
type cursor struct {
	of     *inflated
	pos    int64
	stream io.Reader
}

// cursorPool keeps idle cursors, the least recently used first. Its lock is held
// for a look through the list, never while reading.
type cursorPool struct {
	mu   sync.Mutex
	idle []*cursor
}

// take returns the idle cursor of f nearest before off, or a new one at 0.
func (p *cursorPool) take(f *inflated, off int64) *cursor {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := -1
	for i, c := range p.idle {
		if c.of == f && c.pos <= off && (best < 0 || c.pos > p.idle[best].pos) {
			best = i
		}
	}
	if best < 0 {
		in := bufio.NewReaderSize(io.NewSectionReader(f.raw, 0, f.raw.Size()), 32<<10)
		return &cursor{of: f, stream: flate.NewReader(in)}
	}
	c := p.idle[best]
	p.idle = append(p.idle[:best], p.idle[best+1:]...)
	return c
}

func (p *cursorPool) put(c *cursor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == maxCursors {
		p.idle = append(p.idle[:0], p.idle[1:]...)
	}
	p.idle = append(p.idle, c)
}
