package harness

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

// Fault is what a read of a failing device meets: an error, fewer bytes, or a wait. An
// fstat meets only what hangs.
type Fault struct {
	Errno syscall.Errno
	Short int  // so many bytes at most; 0 is no limit
	End   bool // no bytes, as at the end of a file
	Delay time.Duration
	Until <-chan struct{} // a wait that nothing interrupts, as for a disk
}

// device is a directory seen through a FUSE file system of the test's own, which reads
// with the faults that a test sets. The kernel caches nothing of it.
type device struct {
	*fs.LoopbackNode
	faults *Faults
}

var _ = (fs.NodeWrapChilder)((*device)(nil))

// WrapChild implements fs.NodeWrapChilder.
func (d *device) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &device{child.(*fs.LoopbackNode), d.faults}
}

// Faults is what the reads of a failing device meet.
type Faults struct {
	mu    sync.Mutex
	rule  func(name string, off int64) Fault
	ended chan struct{} // the run was interrupted: nothing waits any more
}

// Set changes what the next reads meet; nil is nothing. The rule gets the name of the file
// and the offset of the read, or [Fstat].
func (f *Faults) Set(rule func(name string, off int64) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rule = rule
}

func (f *Faults) of(name string, off int64) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rule == nil {
		return Fault{}
	}
	return f.rule(name, off)
}

// wait waits as long as the fault says.
func (f *Faults) wait(until <-chan struct{}) {
	if until == nil {
		return
	}
	select {
	case <-until:
	case <-f.ended:
	}
}

// Fstat is the offset by which a rule is asked of an fstat.
const Fstat = -1

var (
	_ = (fs.NodeGetattrer)((*device)(nil))
	_ = (fs.NodeOpener)((*device)(nil))
)

// Getattr implements fs.NodeGetattrer.
func (d *device) Getattr(ctx context.Context, file fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	d.faults.wait(d.faults.of(filepath.Base(d.Path(d.Root())), Fstat).Until)
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
	faults *Faults
}

var (
	_ = (fs.FileReader)((*deviceFile)(nil))
	_ = (fs.FileReleaser)((*deviceFile)(nil))
)

// Read implements fs.FileReader.
func (d *deviceFile) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	f := d.faults.of(d.name, off)
	time.Sleep(f.Delay)
	d.faults.wait(f.Until)
	if f.Errno != 0 {
		return nil, f.Errno
	}
	if f.End {
		return fuse.ReadResultData(nil), 0
	}
	if f.Short > 0 {
		dest = dest[:min(len(dest), f.Short)]
	}
	n, _ := d.file.ReadAt(dest, off)
	return fuse.ReadResultData(dest[:n]), 0
}

// Release implements fs.FileReleaser.
func (d *deviceFile) Release(context.Context) syscall.Errno {
	d.file.Close()
	return 0
}

// FailingDevice shows dir at a new place, where its files fail as [Faults.Set] says.
func FailingDevice(t testing.TB, dir string) (path string, f *Faults) {
	t.Helper()
	path = t.TempDir()
	f = &Faults{ended: make(chan struct{})}
	loopback, err := fs.NewLoopbackRoot(dir)
	Must(t, err)
	node := &device{loopback.(*fs.LoopbackNode), f}
	node.RootData.RootNode = node
	server, err := fs.Mount(path, node, &fs.Options{MountOptions: fuse.MountOptions{FsName: "failing", Name: "failing", AllowOther: os.Geteuid() == 0}})
	Must(t, err)
	done := onInterrupt(func() { close(f.ended); syscall.Unmount(path, syscall.MNT_DETACH) })
	t.Cleanup(func() {
		defer done()
		f.Set(nil)
		if !Eventually(30*time.Second, func() bool { return server.Unmount() == nil }) {
			t.Error("the failing device cannot be unmounted: something holds it")
		}
	})
	return path, f
}
