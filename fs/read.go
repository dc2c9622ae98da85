package fs

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// buffers are of the largest request. A read has one of its own, because it may go on
// in a source that hangs after it was answered.
var buffers = sync.Pool{New: func() any { b := make([]byte, maxRequest); return &b }}

// filled is the answer to a read. With Slices, go-fuse writes the buffer as it is, and
// calls Done after that; without, it would call Done first (fuse/protocol-server.go).
type filled struct {
	buffer *[]byte
	n      int
}

var _ interface {
	fuse.ReadResult
	Slices() ([][]byte, fuse.Status)
} = filled{}

// Slices are the bytes.
func (r filled) Slices() ([][]byte, fuse.Status) { return [][]byte{(*r.buffer)[:r.n]}, fuse.OK }

// Bytes implements fuse.ReadResult.
func (r filled) Bytes(buf []byte) ([]byte, fuse.Status) {
	return buf[:copy(buf, (*r.buffer)[:r.n])], fuse.OK
}

// Size implements fuse.ReadResult.
func (r filled) Size() int { return r.n }

// Done implements fuse.ReadResult.
func (r filled) Done() { buffers.Put(r.buffer) }

// Read answers with what the file holds at an offset. The source is verified after the
// read: bytes that were read while it changed are not handed out.
func (fs *fileSystem) Read(_ <-chan struct{}, input *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	o := fs.files.get(input.Fh)
	if o == nil {
		return nil, fuse.EBADF
	}
	own := input.Fh&ownHandle != 0
	if !own && input.Flags&syscall.O_DIRECT == 0 {
		fs.ahead.asked(o, int64(input.Offset), int64(len(buf)))
	}
	// Most of what is read lies in the page cache of a local file system, where there is
	// nothing to wait for. Elsewhere Verify alone may hang, also with bytes of our own.
	if source.Instant(o.file.Source) {
		if n, err := o.read(buf, input.Offset, fs.way(segment.ReadCached)); err == nil && o.verify(input.Offset, int64(n)) == nil {
			fs.served(n, own, false)
			return fuse.ReadResultData(buf[:n]), fuse.OK
		}
	}
	size, offset := len(buf), input.Offset // input and buf are go-fuse's again when this returns
	result, err := wait(&fs.waits, o.file.Source, fs.files.left(o.file.Ino, input.Pid, own), func(ctx context.Context) (filled, error) {
		r := filled{buffer: buffers.Get().(*[]byte)}
		if len(*r.buffer) < size {
			*r.buffer = make([]byte, size)
		}
		var err error
		if r.n, err = o.read((*r.buffer)[:size], offset, fs.way(segment.ReadUntil(ctx))); err == nil {
			err = o.verify(offset, int64(r.n))
		}
		if err != nil {
			r.Done()
		}
		return r, err
	}, filled.Done)
	if err != nil {
		return nil, fs.fail(o.file, input.Offset, err)
	}
	fs.served(result.n, own, true)
	return result, fuse.OK
}

// served tells of an answer of n bytes: whether the prefetch asked, and whether it took
// more than memory.
func (fs *fileSystem) served(n int, own, waited bool) {
	fs.counters.served(n, own)
	if own {
		fs.ahead.answered(waited)
	}
}

// way is a way to read, or one that also drops behind it what does not fit into memory twice.
func (fs *fileSystem) way(read segment.ReadFunc) segment.ReadFunc {
	if fs.memory.room() < 2*fs.tree.Bytes {
		return fs.behind.reading(read)
	}
	return read
}

// read fills p as far as the file goes. Less than that is an error: the kernel takes
// a short read for the end of the file and shows zeros after it (fs/fuse/file.c,
// fuse_short_read).
func (o *openFile) read(p []byte, offset uint64, readAt segment.ReadFunc) (int, error) {
	size := uint64(o.content.data.Size())
	if offset >= size {
		return 0, nil
	}
	p = p[:min(uint64(len(p)), size-offset)]
	n, err := readAt(o.content.data, p, int64(offset))
	switch {
	case n == len(p):
		return n, nil
	case err == nil || err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// verify tells whether the source was changed before its n bytes at an offset were read.
func (o *openFile) verify(offset uint64, n int64) error {
	return source.VerifyRead(o.file.Source, o.content.data, int64(offset), n)
}

// panicked makes an error of a panic, which is a bug in a reader and still costs one
// request only, never the mount.
func panicked(r any) error {
	return fmt.Errorf("bug: %v\n%s", r, debug.Stack())
}
