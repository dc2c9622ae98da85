package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// LocalDir is a directory of this machine. It stays the directory that was opened, whatever
// is renamed later, and what is opened below it lies below it: a link that is put in place
// of a file or of a directory at any moment leads nowhere else.
type LocalDir struct {
	path   string
	base   string // with symbolic links resolved
	handle *os.File
}

// OpenDir makes a Dir of a local directory.
func OpenDir(path string) (*LocalDir, error) {
	base, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	fd, err := again(func() (int, error) { return unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &LocalDir{path, base, os.NewFile(uintptr(fd), base)}, nil
}

// Sub implements Nested.
func (d *LocalDir) Sub(path string) (Dir, error) {
	fd, err := d.open(path, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	base := d.full(path)
	return &LocalDir{filepath.Join(d.path, filepath.FromSlash(path)), base, os.NewFile(uintptr(fd), base)}, nil
}

// Path implements Dir.
func (d *LocalDir) Path() string { return d.path }

// Close implements Dir.
func (d *LocalDir) Close() error { return d.handle.Close() }

// List implements Dir.
func (d *LocalDir) List(path string) ([]Entry, error) {
	fd, err := d.open(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd), d.full(path))
	defer dir.Close()
	return listed(dir, func(e fs.DirEntry) Kind { return kindOf(fd, e) })
}

// kindOf follows a link, so that it knows what Open would find; it opens nothing.
func kindOf(dir int, e fs.DirEntry) Kind {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, e.Name(), &st, 0); err != nil {
		return Unreadable
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if e.Type()&fs.ModeSymlink != 0 {
			return LinkedDir
		}
		return Directory
	case unix.S_IFREG:
		return File
	}
	return Special
}

// Open implements Dir.
func (d *LocalDir) Open(path string) (Source, error) {
	fd, err := d.open(path, unix.O_RDONLY|unix.O_NONBLOCK)
	if errors.Is(err, syscall.EMFILE) {
		return nil, fmt.Errorf("%s: more files than this process may open: raise the limit (ulimit -Hn)", d.base)
	}
	if err != nil {
		return nil, err
	}
	path = d.full(path)
	f, err := ownFile(fd, path)
	if err != nil {
		return nil, err
	}
	return newLocal(f, path)
}

func (d *LocalDir) full(path string) string { return filepath.Join(d.base, filepath.FromSlash(path)) }

// open opens a path below the directory. The kernel itself sees to it that no link and no
// dot leads out (openat2(2), RESOLVE_BENEATH). What it refuses, or is too old for, is
// looked at before it is opened.
func (d *LocalDir) open(path string, flags int) (int, error) {
	if path == "" {
		path = "."
	}
	how := &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := again(func() (int, error) { return unix.Openat2(int(d.handle.Fd()), path, how) })
	switch err {
	case nil:
		return fd, nil
	case unix.EXDEV, unix.EAGAIN, unix.ENOSYS, unix.EPERM: // outside; perhaps outside; an old kernel; a sandbox
		fd, err = d.openLooking(path, flags)
	}
	if err == unix.ENOENT && d.isLink(path) {
		return -1, fmt.Errorf("%s %w", Printable(path), ErrDangling)
	}
	if errno, ok := err.(unix.Errno); ok {
		return -1, &fs.PathError{Op: "open", Path: d.full(path), Err: errno}
	}
	return fd, err
}

// openLooking finds a file without opening it (O_PATH), asks where that is, and opens the
// very file that was asked about.
func (d *LocalDir) openLooking(path string, flags int) (int, error) {
	found, err := again(func() (int, error) { return unix.Openat(int(d.handle.Fd()), path, unix.O_PATH|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, err
	}
	defer unix.Close(found)
	base, err := os.Readlink(magicLink(int(d.handle.Fd())))
	if err != nil {
		return -1, err
	}
	real, err := os.Readlink(magicLink(found))
	if err != nil {
		return -1, err
	}
	if real != base && !strings.HasPrefix(real, strings.TrimSuffix(base, "/")+"/") && !ofTheHub(base, real) {
		return -1, fmt.Errorf("%s %w, to %s", Printable(path), ErrOutside, Printable(real))
	}
	return again(func() (int, error) { return unix.Open(magicLink(found), flags|unix.O_CLOEXEC, 0) })
}

// isLink reports whether a path names a link, whatever it leads to.
func (d *LocalDir) isLink(path string) bool {
	_, err := unix.Readlinkat(int(d.handle.Fd()), path, make([]byte, 1))
	return err == nil
}

// magicLink is the file that an open descriptor names (proc_pid_fd(5)).
func magicLink(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
