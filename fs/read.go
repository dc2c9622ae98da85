package fs

import (
	"io"
	"runtime/debug"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"wfs/formats/segment"
	"wfs/formats/view"
)

// openFile is what all opens of an inode share: its bytes, made by the first.
type openFile struct {
	file    *view.File
	data    segment.Data
	opens   int
	backing int32 // id of the source in the kernel, for passthrough
}

// Open makes the file readable. The page cache of an earlier open is kept, or every
// reopen would start cold.
func (fs *fileSystem) Open(_ <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) (status fuse.Status) {
	n, ok := fs.node(input.NodeId)
	if !ok || n.File == nil {
		return fuse.ENOENT
	}
	if input.Flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return fuse.EROFS
	}
	defer fs.guard(n.File, &status)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var o *openFile
	if v, ok := fs.opened.Load(n.File.Ino); ok {
		o = v.(*openFile)
	} else {
		data, err := n.File.Open()
		if err == nil {
			err = n.File.Source.Verify()
		}
		if err != nil {
			return fs.fail(n.File, 0, err)
		}
		o = &openFile{file: n.File, data: data, backing: fs.registerBacking(n.File)}
		fs.opened.Store(n.File.Ino, o)
	}
	o.opens++
	fs.counters.opens.Add(1)
	out.Fh = n.File.Ino
	if o.backing != 0 {
		out.OpenFlags = fuse.FOPEN_PASSTHROUGH
		out.BackingID = o.backing
		return fuse.OK
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// Release drops the bytes with the last open.
func (fs *fileSystem) Release(_ <-chan struct{}, input *fuse.ReleaseIn) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	v, ok := fs.opened.Load(input.Fh)
	if !ok {
		return
	}
	o := v.(*openFile)
	if o.opens--; o.opens == 0 {
		fs.opened.Delete(input.Fh)
		fs.unregisterBacking(o)
	}
}

// Read fills buf. The source is verified behind the read: bytes that were read while
// it changed are not handed out.
func (fs *fileSystem) Read(_ <-chan struct{}, input *fuse.ReadIn, buf []byte) (res fuse.ReadResult, status fuse.Status) {
	v, ok := fs.opened.Load(input.Fh)
	if !ok {
		return nil, fuse.EBADF
	}
	o := v.(*openFile)
	defer fs.guard(o.file, &status)
	n, err := o.data.ReadAt(buf, int64(input.Offset))
	if err == io.EOF {
		err = nil
	}
	if err == nil {
		err = o.file.Source.Verify()
	}
	if err != nil {
		return nil, fs.fail(o.file, int64(input.Offset), err)
	}
	fs.counters.reads.Add(1)
	fs.counters.bytes.Add(int64(n))
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// guard turns a panic in a reader, which is a bug, into EIO for this one request.
func (fs *fileSystem) guard(f *view.File, status *fuse.Status) {
	if r := recover(); r != nil {
		fs.counters.errors.Add(1)
		fs.opt.Log.Error("a read panicked", "file", f.Source.Path, "panic", r, "stack", string(debug.Stack()))
		*status = fuse.EIO
	}
}
