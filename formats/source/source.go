// Package source is where bytes come from: an io.ReaderAt with a size and an
// identity. Parsers see no more than that, so a remote source needs no second
// parser. A local file is pinned when it is opened: a read that could be wrong,
// because the file was truncated or rewritten since, is an error and never a
// zero or another file's bytes.
package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrStale says that the file was changed after it was opened. It maps to ESTALE.
var ErrStale = errors.New("the source was changed while it was mounted")

// Source is one file that weights are read from. It is safe for concurrent use.
type Source struct {
	// Path is how the user named the file; it is used in messages only.
	Path string
	// ModTime is the modification time that the file had when it was opened.
	ModTime time.Time

	reader io.ReaderAt
	size   int64
	file   *os.File // nil when the bytes are in memory
	local  bool     // as isLocal says
	inode  uint64
	pin    atomic.Pointer[syscall.Stat_t] // what Verify compares with
}

// Open opens a regular file and remembers its size, mtime and inode. The file
// is read with pread and never mapped: a truncated file must be an error, not a
// SIGBUS.
func Open(path string) (*Source, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
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
	s := &Source{Path: path, ModTime: info.ModTime(), reader: f, size: info.Size(), file: f, local: isLocal(f), inode: st.Ino}
	s.pin.Store(st)
	return s, nil
}

// openFile opens path so that the runtime does not poll it. O_NONBLOCK keeps a FIFO from
// blocking the open and means nothing for a regular file, but os.OpenFile takes it as a
// wish to wait with epoll: on a FUSE file system that asks its daemon, and a Close would
// wait for reads that hang.
func openFile(path string) (*os.File, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	for err == syscall.EINTR {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		syscall.Close(fd)
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// FromReader makes a Source of size bytes out of any reader, for sources that
// are not local files and for tests.
func FromReader(name string, r io.ReaderAt, size int64) *Source {
	return &Source{Path: name, reader: r, size: size}
}

// Name is the last element of the path.
func (s *Source) Name() string { return filepath.Base(s.Path) }

// Size is the number of bytes the source had when it was opened.
func (s *Source) Size() int64 { return s.size }

// File is the open local file, nil where there is none.
func (s *Source) File() *os.File { return s.file }

// Inode is the inode number of the local file, 0 where there is none.
func (s *Source) Inode() uint64 { return s.inode }

// ReadAt fills p from offset off. Short reads of the system are continued.
// Bytes that were there when the source was opened and are gone give ErrStale.
func (s *Source) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, s.size)
	if err != nil {
		return 0, err
	}
	n, err := s.reader.ReadAt(p, off)
	if n == len(p) {
		return n, atEnd
	}
	if err == io.EOF || err == nil {
		return n, fmt.Errorf("%s: %w: it ends before byte %d", s.Path, ErrStale, off+int64(len(p)))
	}
	return n, err
}

var errNegative = errors.New("negative offset")

// Clip cuts p to what lies between off and size. atEnd is io.EOF when p was cut.
func Clip(p []byte, off, size int64) (cut []byte, atEnd, err error) {
	switch {
	case off < 0:
		return nil, nil, errNegative
	case off >= size:
		return nil, nil, io.EOF
	case int64(len(p)) > size-off:
		return p[:size-off], io.EOF, nil
	}
	return p, nil, nil
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
func (s *Source) Verify() error {
	if s.file == nil {
		return nil
	}
	was := s.pin.Load()
	var now syscall.Stat_t
	if err := syscall.Fstat(int(s.file.Fd()), &now); err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
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
	return fmt.Errorf("%s: %w", s.Path, ErrStale)
}

// moved says whether another file, or none, has the name that the source was opened by.
func (s *Source) moved(dev, ino uint64) bool {
	var named syscall.Stat_t
	err := syscall.Stat(s.Path, &named)
	return err != nil || named.Dev != dev || named.Ino != ino
}

// Close closes the local file.
func (s *Source) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
