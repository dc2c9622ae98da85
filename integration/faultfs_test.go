package integration

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// fault is what a read of a failing device meets: an error, fewer bytes, or a wait. An
// fstat meets only what hangs.
type fault struct {
	errno syscall.Errno
	short int  // so many bytes at most; 0 is no limit
	end   bool // no bytes, as at the end of a file
	delay time.Duration
	until <-chan struct{} // a wait that nothing interrupts, as for a disk
}

// device is a directory seen through a FUSE file system of the test's own, which reads
// with the faults that a test sets. The kernel caches nothing of it.
type device struct {
	*fs.LoopbackNode
	faults *faults
}

var _ = (fs.NodeWrapChilder)((*device)(nil))

// WrapChild implements fs.NodeWrapChilder.
func (d *device) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &device{child.(*fs.LoopbackNode), d.faults}
}

type faults struct {
	mu   sync.Mutex
	rule func(name string, off int64) fault
}

// set changes what the next reads meet; nil is nothing.
func (f *faults) set(rule func(name string, off int64) fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rule = rule
}

func (f *faults) of(name string, off int64) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rule == nil {
		return fault{}
	}
	return f.rule(name, off)
}

// fstat is the offset by which a rule is asked of an fstat.
const fstat = -1

var (
	_ = (fs.NodeGetattrer)((*device)(nil))
	_ = (fs.NodeOpener)((*device)(nil))
)

// Getattr implements fs.NodeGetattrer.
func (d *device) Getattr(ctx context.Context, file fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if f := d.faults.of(filepath.Base(d.Path(d.Root())), fstat); f.until != nil {
		<-f.until
	}
	return d.LoopbackNode.Getattr(ctx, file, out)
}

// Open implements fs.NodeOpener.
func (d *device) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	path := filepath.Join(d.RootData.Path, d.Path(d.Root()))
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	return &deviceFile{file, filepath.Base(path), d.faults}, fuse.FOPEN_DIRECT_IO, 0
}

type deviceFile struct {
	file   *os.File
	name   string
	faults *faults
}

var (
	_ = (fs.FileReader)((*deviceFile)(nil))
	_ = (fs.FileReleaser)((*deviceFile)(nil))
)

// Read implements fs.FileReader.
func (d *deviceFile) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	f := d.faults.of(d.name, off)
	time.Sleep(f.delay)
	if f.until != nil {
		<-f.until
	}
	if f.errno != 0 {
		return nil, f.errno
	}
	if f.end {
		return fuse.ReadResultData(nil), 0
	}
	if f.short > 0 {
		dest = dest[:min(len(dest), f.short)]
	}
	n, _ := d.file.ReadAt(dest, off)
	return fuse.ReadResultData(dest[:n]), 0
}

// Release implements fs.FileReleaser.
func (d *deviceFile) Release(context.Context) syscall.Errno {
	d.file.Close()
	return 0
}

// failingDevice shows dir at a new place, where its files fail as set says.
func failingDevice(t testing.TB, dir string) (path string, f *faults) {
	t.Helper()
	path = t.TempDir()
	f = &faults{}
	loopback, err := fs.NewLoopbackRoot(dir)
	must(t, err)
	node := &device{loopback.(*fs.LoopbackNode), f}
	node.RootData.RootNode = node
	server, err := fs.Mount(path, node, &fs.Options{MountOptions: fuse.MountOptions{FsName: "failing", Name: "failing", AllowOther: os.Geteuid() == 0}})
	must(t, err)
	t.Cleanup(func() {
		f.set(nil)
		if !eventually(30*time.Second, func() bool { return server.Unmount() == nil }) {
			t.Error("the failing device cannot be unmounted: something holds it")
		}
	})
	return path, f
}
