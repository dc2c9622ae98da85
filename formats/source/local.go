package source

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wfs/formats/segment"
)

// Local is a regular file of this machine. It is read with pread and never mapped: a
// truncated file must be an error, not a SIGBUS.
type Local struct {
	path    string
	file    *os.File
	size    int64
	modTime time.Time
	instant bool                           // as isLocal says
	pin     atomic.Pointer[syscall.Stat_t] // what Verify compares with
}

var (
	_ Source         = (*Local)(nil)
	_ PageCached     = (*Local)(nil)
	_ segment.Cached = (*Local)(nil)
)

// Open opens a regular file and remembers its size, mtime and inode.
func Open(path string) (*Local, error) {
	// O_NONBLOCK keeps a FIFO from blocking the open.
	fd, err := again(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return newLocal(fd, path)
}

// newLocal makes a source of an open file, which it owns, so that the runtime does not poll
// it. O_NONBLOCK means nothing for a regular file, but os.NewFile takes it as a wish to wait
// with epoll: on a FUSE file system that asks its daemon, and a Close would wait for reads
// that hang.
func newLocal(fd int, path string) (*Local, error) {
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		f.Close()
		return nil, fmt.Errorf("%s: the system says no inode", path)
	}
	s := &Local{path: path, file: f, size: info.Size(), modTime: info.ModTime(), instant: isLocal(f)}
	s.pin.Store(st)
	return s, nil
}

// Path implements Source.
func (s *Local) Path() string { return s.path }

// Name implements Source.
func (s *Local) Name() string { return filepath.Base(s.path) }

// Size implements Source: the number of bytes that the file had when it was opened.
func (s *Local) Size() int64 { return s.size }

// ModTime implements Source.
func (s *Local) ModTime() time.Time { return s.modTime }

// Identity implements Source.
func (s *Local) Identity() string {
	st := s.pin.Load()
	return fmt.Sprintf("%d:%d %d bytes, %d.%09d", st.Dev, st.Ino, st.Size, st.Mtim.Sec, st.Mtim.Nsec)
}

// File is the open file, for a kernel that can read it by itself.
func (s *Local) File() *os.File { return s.file }

// ReadAt fills p from offset off. Short reads of the system are continued.
// Bytes that were there when the source was opened and are gone give ErrStale.
func (s *Local) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := segment.Clip(p, off, s.size)
	if err != nil {
		return 0, err
	}
	n, err := s.file.ReadAt(p, off)
	if n == len(p) {
		return n, atEnd
	}
	if err == io.EOF || err == nil {
		return n, fmt.Errorf("%s: %w: it ends before byte %d", s.path, ErrStale, off+int64(len(p)))
	}
	return n, err
}

// Verify reports ErrStale when the bytes of the open file may be others than when it
// was opened: when its size or its mtime is another, or its ctime for no visible
// reason. The ctime tells of a rewrite whose mtime was put back (cp -p, touch -r), but
// it also changes with the inode's links, owner and mode, and when the file is renamed.
// So a change of those that can be seen is taken for the reason, and the file is pinned
// anew: one that is replaced by a rename or deleted keeps its old inode's bytes. What
// remains is a change of nothing but the atime or extended attributes, which is taken
// for a rewrite.
//
// A file system sets the times before it writes. Only who had mapped the file and had
// written to it shortly before it was opened here goes unnoticed, until the kernel has
// written those pages back (mm/memory.c, do_page_mkwrite).
func (s *Local) Verify() error {
	was := s.pin.Load()
	var now syscall.Stat_t
	if err := syscall.Fstat(int(s.file.Fd()), &now); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	switch {
	case now.Size != was.Size || now.Mtim != was.Mtim:
	case now.Ctim == was.Ctim:
		return nil
	case now.Nlink != was.Nlink || now.Mode != was.Mode || now.Uid != was.Uid || now.Gid != was.Gid || s.moved(now.Dev, now.Ino):
		pin := now
		s.pin.CompareAndSwap(was, &pin)
		return nil
	}
	return fmt.Errorf("%s: %w", s.path, ErrStale)
}

// moved reports whether another file, or none, has the name that the source was opened by.
func (s *Local) moved(dev, ino uint64) bool {
	var named syscall.Stat_t
	err := syscall.Stat(s.path, &named)
	return err != nil || named.Dev != dev || named.Ino != ino
}

// Close implements Source.
func (s *Local) Close() error { return s.file.Close() }
