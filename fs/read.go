package fs

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Read fills buf. The source is verified behind the read: bytes that were read while
// it changed are not handed out.
func (fs *fileSystem) Read(cancel <-chan struct{}, input *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	o := fs.files.get(input.Fh)
	if o == nil {
		return nil, fuse.EBADF
	}
	n := 0
	waits, err := fs.waits.begin(o.file, &input.InHeader, cancel)
	if err == nil {
		if n, err = o.read(buf, input.Offset); err == nil {
			err = o.file.Source.Verify()
		}
		fs.waits.end(waits)
	}
	if err != nil {
		return nil, fs.fail(o.file, input.Offset, err)
	}
	fs.counters.reads.Add(1)
	fs.counters.bytes.Add(int64(n))
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// read fills p as far as the file goes. Less than that is an error: the kernel takes
// a short read for the end of the file and shows zeros behind it (fs/fuse/file.c,
// fuse_short_read).
func (o *openFile) read(p []byte, offset uint64) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, panicked(r)
		}
	}()
	size := uint64(o.content.data.Size())
	if offset >= size {
		return 0, nil
	}
	p = p[:min(uint64(len(p)), size-offset)]
	n, err = o.content.data.ReadAt(p, int64(offset))
	switch {
	case n == len(p):
		return n, nil
	case err == nil || err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// panicked makes an error of a panic, which is a bug in a reader and still costs one
// request only, never the mount.
func panicked(r any) error {
	return fmt.Errorf("bug: %v\n%s", r, debug.Stack())
}
