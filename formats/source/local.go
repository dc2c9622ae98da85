package source

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"wfs/formats/segment"
)

// Local is a regular file of this machine. It is read with pread and never mapped: a
// truncated file must be an error, not a SIGBUS.
type Local struct {
	path    string
	file    *os.File
	size    int64
	modTime time.Time
	instant bool                  // as isLocal says
	pin     atomic.Pointer[stamp] // what Verify compares with
}

var _ Source = (*Local)(nil)

// Open opens a regular file and remembers its size, mtime and inode.
func Open(path string) (*Local, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return newLocal(f, path)
}

// newLocal makes a source of an open file, which it owns.
func newLocal(f *os.File, path string) (*Local, error) {
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() {
		f.Close()
		if mode&(os.ModeNamedPipe|os.ModeSocket) != 0 {
			return nil, fmt.Errorf("%s: a pipe can be read only once: write it to a file first", path)
		}
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	pin, err := stampOf(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &Local{path: path, file: f, size: pin.size, modTime: info.ModTime(), instant: isLocal(f)}
	s.pin.Store(&pin)
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
func (s *Local) Identity() string { return s.pin.Load().String() }

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
	now, err := stampOf(s.file)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	switch {
	case now.size != was.size || now.modified != was.modified:
	case now.changed == was.changed:
		return nil
	case now.owner != was.owner || s.moved():
		s.pin.CompareAndSwap(was, &now)
		return nil
	}
	return fmt.Errorf("%s: %w", s.path, ErrStale)
}

// moved reports whether another file, or none, has the name that the source was opened by.
func (s *Local) moved() bool {
	opened, err := s.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(s.path)
	return err != nil || !os.SameFile(opened, named)
}

// Close implements Source.
func (s *Local) Close() error { return s.file.Close() }
