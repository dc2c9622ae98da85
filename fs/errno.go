package fs

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"wfs/formats/source"
	"wfs/formats/tree"
)

// errnoOf is the one place where errors become errnos.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	switch {
	case errors.Is(err, source.ErrStale):
		return syscall.ESTALE
	case errors.Is(err, errGone):
		return syscall.EINTR
	case errors.As(err, &errno) && errno == syscall.ENOMEM:
		return errno
	}
	return syscall.EIO
}

// logInterval is how often one file's errors are logged.
const logInterval = time.Minute

// faultLog remembers when a file's last error was logged.
type faultLog struct {
	mu   sync.Mutex
	last map[uint64]time.Time
}

// due reports whether an error of the inode is to be logged now.
func (l *faultLog) due(ino uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.last[ino]) < logInterval {
		return false
	}
	if l.last == nil || len(l.last) > 10_000 {
		l.last = map[uint64]time.Time{}
	}
	l.last[ino] = now
	return true
}

// fail counts and logs an error, and maps it.
func (fs *fileSystem) fail(f *tree.File, offset uint64, err error) fuse.Status {
	if errors.Is(err, errGone) {
		return fuse.Status(errnoOf(err)) // no fault
	}
	fs.counters.errors.Add(1)
	if fs.faults.due(f.Ino) {
		fs.opt.Log.Error("read failed", "file", f.Source.Path(), "inode", f.Ino, "offset", offset, "error", err)
	}
	return fuse.Status(errnoOf(err))
}

// panicked answers a request whose handler panicked: a bug, and EIO for this one.
func (fs *fileSystem) panicked(r any) fuse.Status {
	fs.counters.errors.Add(1)
	fs.opt.Log.Error("a request failed", "error", panicked(r))
	return fuse.EIO
}
