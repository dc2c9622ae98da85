package fs

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"weak"

	"github.com/hanwen/go-fuse/v2/fuse"

	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/tree"
)

// openFile is what all opens of an inode share: its bytes, made by the first of them.
type openFile struct {
	file  *tree.File
	opens int // guarded by openFiles.mu
	own   int // of these, by the prefetch

	once    sync.Once // guards the rest
	content *content
	err     error
	backing int32 // id of the source in the kernel, for passthrough
	tensors span  // nil where nothing is prefetched
	distant bool  // whether the source is far away

	streams *streams // guarded by ahead.mu
	path    func() string
}

// ownHandle marks the handles that the prefetch has opened.
const ownHandle = 1 << 63

// content is the bytes of a file.
type content struct{ data segment.Data }

// openFiles is every inode that is open.
type openFiles struct {
	// mu is held for the maps alone, never while a file is made or read: a source
	// that hangs must not keep other files from being opened.
	mu   sync.Mutex
	open map[uint64]*openFile
	// recent finds the contents of closed files until they are collected. Loaders
	// open a file again and again (safetensors does twice for each safe_open), and to
	// lay out a view of 200 000 tensors takes 50 ms.
	recent map[uint64]weak.Pointer[content]
	// path is where a file lies in the mount.
	path func(*tree.File) string
}

// maxRecent bounds recent; its entries cost little, and most point to nothing.
const maxRecent = 1024

// acquire counts one open more of a file, by the prefetch or by anybody else.
func (t *openFiles) acquire(f *tree.File, own bool) *openFile {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.open[f.Ino]
	if o == nil {
		if t.open == nil {
			t.open = map[uint64]*openFile{}
		}
		o = &openFile{file: f, path: sync.OnceValue(func() string { return t.path(f) })}
		t.open[f.Ino] = o
	}
	o.opens++
	if own {
		o.own++
	}
	return o
}

// release takes one open back. It reports whether it was the last, and whether it was the
// last but for those of the prefetch.
func (t *openFiles) release(o *openFile, own bool) (last, left bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o.opens--
	if own {
		o.own--
	}
	if o.opens == 0 {
		delete(t.open, o.file.Ino)
	}
	return o.opens == 0, o.opens == o.own
}

// left tells of a request whether nobody waits for it any more: for one of the prefetch that
// is when no reader has the file open.
func (t *openFiles) left(ino uint64, thread uint32, own bool) (left func() bool) {
	if !own {
		return caller(thread).left
	}
	return func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		o := t.open[ino]
		return o == nil || o.opens == o.own
	}
}

// get finds an open file by its handle, which is its inode number.
func (t *openFiles) get(handle uint64) *openFile {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[handle&^ownHandle]
}

func (t *openFiles) recall(ino uint64) *content {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recent[ino].Value()
}

func (t *openFiles) remember(ino uint64, c *content) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recent == nil || len(t.recent) >= maxRecent {
		t.recent = map[uint64]weak.Pointer[content]{}
	}
	t.recent[ino] = weak.Make(c)
}

// Open makes the file readable. The page cache of an earlier open is kept, or every
// reopen would start cold. O_DIRECT needs nothing: the kernel then sends each read
// here (fs/fuse/file.c, fuse_direct_IO).
func (fs *fileSystem) Open(_ <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n, ok := fs.node(input.NodeId)
	if !ok || n.File == nil {
		return fuse.ENOENT
	}
	if input.Flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return fuse.EROFS
	}
	own := fs.ahead.isOwn(input.Pid)
	drop := func(o *openFile) { fs.drop(o, own) }
	o, err := wait(&fs.waits, n.File.Source, fs.files.left(n.File.Ino, input.Pid, own), func(context.Context) (*openFile, error) {
		o := fs.files.acquire(n.File, own)
		o.once.Do(func() { o.err = fs.prepare(o) })
		err := o.err
		if err == nil {
			err = o.verify(0, o.content.data.Size())
		}
		if err != nil {
			drop(o)
		}
		return o, err
	}, drop)
	if err != nil {
		return fs.fail(n.File, 0, err)
	}
	out.Fh = n.File.Ino
	if own {
		out.Fh |= ownHandle
	} else {
		fs.counters.opens.Add(1)
	}
	if o.backing != 0 {
		out.OpenFlags = fuse.FOPEN_PASSTHROUGH
		out.BackingID = o.backing
		return fuse.OK
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// prepare makes the bytes of a file that was not open. It fails rather than promise
// with stat what it does not have: the kernel shows zeros for what is missing.
func (fs *fileSystem) prepare(o *openFile) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	if o.content = fs.files.recall(o.file.Ino); o.content == nil {
		data, err := o.file.Open()
		if err != nil {
			return err
		}
		if want, got := o.file.Size(), data.Size(); want != got {
			return fmt.Errorf("%d bytes where stat says %d", got, want)
		}
		o.content = &content{data}
		fs.files.remember(o.file.Ino, o.content)
	}
	if o.backing = fs.registerBacking(o.file); o.backing == 0 && !o.file.Lazy() {
		o.tensors, o.distant = tensorsOf(o.content.data), source.IsDistant(o.file.Source)
	}
	return nil
}

// Release drops the bytes with the last open.
func (fs *fileSystem) Release(_ <-chan struct{}, input *fuse.ReleaseIn) {
	if o := fs.files.get(input.Fh); o != nil {
		fs.drop(o, input.Fh&ownHandle != 0)
	}
}

func (fs *fileSystem) drop(o *openFile, own bool) {
	last, left := fs.files.release(o, own)
	if left {
		fs.ahead.left(o)
	}
	if last {
		fs.behind.finish()
		fs.unregisterBacking(o)
	}
}
