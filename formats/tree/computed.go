package tree

import (
	"context"
	"fmt"
	"sync/atomic"

	"wfs/formats/segment"
)

// computed is a file whose size is known before its bytes are, which take reading the
// tensors: ls, stat and find cost nothing, and the first read makes it. It is kept from
// then on.
type computed struct {
	// size is called once, when somebody asks for the file.
	size func() int64
	// write makes the bytes, size of them, or fails with ctx. It is called by one reader or
	// by several at once, and again after it failed.
	write func(ctx context.Context) ([]byte, error)
	bytes atomic.Pointer[segment.Literal]
}

var _ interface {
	content
	segment.Cancellable
	segment.Cached
} = (*computed)(nil)

// Size implements content and segment.Data.
func (c *computed) Size() int64 { return c.size() }

// Open implements content.
func (c *computed) Open() (segment.Data, error) { return c, nil }

// ReadAt implements io.ReaderAt.
func (c *computed) ReadAt(p []byte, off int64) (int, error) {
	return c.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext implements segment.Cancellable.
func (c *computed) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	made := c.bytes.Load()
	if made == nil {
		b, err := c.write(ctx)
		if err != nil {
			return 0, err
		}
		if int64(len(b)) != c.size() {
			return 0, fmt.Errorf("%d bytes were made where stat says %d", len(b), c.size())
		}
		made = (*segment.Literal)(&b)
		c.bytes.Store(made)
	}
	return made.ReadAt(p, off)
}

// ReadCached implements segment.Cached.
func (c *computed) ReadCached(p []byte, off int64) (int, error) {
	if made := c.bytes.Load(); made != nil {
		return made.ReadAt(p, off)
	}
	return 0, segment.ErrNotCached
}
