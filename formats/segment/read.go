package segment

import (
	"context"
	"errors"
	"io"
)

// ReadFull fills p from offset off of r. Fewer bytes are io.ErrUnexpectedEOF, or the
// error that r has for it.
func ReadFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return missing(err)
}

// Head is the first bytes of d, n at most, as far as they can be read: enough to tell what
// a file is.
func Head(d Data, n int64) []byte {
	head := make([]byte, min(n, d.Size()))
	k, _ := d.ReadAt(head, 0)
	return head[:k]
}

// missing turns the end of a source, where bytes were promised, into an error.
func missing(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadFunc is a way to read: as ReadAt, from memory alone, or until somebody gives up.
type ReadFunc func(r io.ReaderAt, p []byte, off int64) (int, error)

// Composite is Data whose bytes come from other readers. A way to read goes down through
// it to the source.
type Composite interface {
	Data
	// ReadWith is ReadAt, with read for what the bytes come from.
	ReadWith(read ReadFunc, p []byte, off int64) (int, error)
}

// ErrNotCached says that bytes are not in memory, or that nobody knows.
var ErrNotCached = errors.New("not in the page cache")

// Cached can be read as far as it is in memory.
type Cached interface {
	// ReadCached is ReadAt that waits for no device. Where that would take one the error
	// is ErrNotCached, and p may be written to.
	ReadCached(p []byte, off int64) (int, error)
}

// ReadCached is a ReadFunc that waits for no device, as Cached says.
func ReadCached(r io.ReaderAt, p []byte, off int64) (int, error) {
	switch r := r.(type) {
	case Cached:
		return r.ReadCached(p, off)
	case Composite:
		return r.ReadWith(ReadCached, p, off)
	}
	return 0, ErrNotCached
}

// Cancellable is a source whose reads end when nobody waits for them any more.
type Cancellable interface {
	// ReadAtContext is ReadAt until ctx is done; then its error is context.Cause(ctx).
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
}

// ReadUntil is a ReadFunc that ends with ctx where the source can (Cancellable), and
// starts no further read of any source after that.
func ReadUntil(ctx context.Context) ReadFunc {
	var read ReadFunc
	read = func(r io.ReaderAt, p []byte, off int64) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		switch r := r.(type) {
		case Cancellable:
			return r.ReadAtContext(ctx, p, off)
		case Composite:
			return r.ReadWith(read, p, off)
		}
		return r.ReadAt(p, off)
	}
	return read
}
