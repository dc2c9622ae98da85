package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// rootDir is a directory of this machine where there is no openat2(2): it promises what
// LocalDir promises, by os.Root. On Linux only the tests use it.
type rootDir struct {
	path string
	base string // with symbolic links resolved
	root *os.Root
}

var _ Nested = (*rootDir)(nil)

func openRoot(path string) (*rootDir, error) {
	base, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if base, err = filepath.Abs(base); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	return &rootDir{path, base, root}, nil
}

// Sub implements Nested.
func (d *rootDir) Sub(path string) (Dir, error) {
	f, err := d.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	root, err := d.root.OpenRoot(local(path))
	if err != nil {
		return nil, err
	}
	return &rootDir{filepath.Join(d.path, local(path)), d.full(path), root}, nil
}

// Path implements Dir.
func (d *rootDir) Path() string { return d.path }

// Close implements Dir.
func (d *rootDir) Close() error { return d.root.Close() }

// List implements Dir.
func (d *rootDir) List(path string) ([]Entry, error) {
	dir, err := d.open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return listed(dir, func(e fs.DirEntry) Kind { return d.kindOf(path, e) })
}

// kindOf follows a link, so that it knows what Open would find; it opens nothing.
func (d *rootDir) kindOf(dir string, e fs.DirEntry) Kind {
	info, err := os.Stat(filepath.Join(d.full(dir), e.Name()))
	switch {
	case err != nil:
		return Unreadable
	case info.IsDir() && e.Type()&^fs.ModeDir != 0: // a link, or a junction of Windows
		return LinkedDir
	case info.IsDir():
		return Directory
	case info.Mode().IsRegular():
		return File
	}
	return Special
}

// Open implements Dir.
func (d *rootDir) Open(path string) (Source, error) {
	f, err := d.open(path)
	if err != nil {
		return nil, err
	}
	return newLocal(f, d.full(path))
}

// local is a path of a Dir as the system spells it. os.Root refuses what leaves it in any
// spelling: "..", an absolute path, a drive, a device of Windows.
func local(path string) string {
	if path == "" {
		return "."
	}
	return filepath.FromSlash(path)
}

func (d *rootDir) full(path string) string { return filepath.Join(d.base, filepath.FromSlash(path)) }

// open opens a path below the directory. What os.Root refuses is looked at: it follows no
// absolute link, not even one that stays inside, and knows nothing of the Hub's cache.
func (d *rootDir) open(path string) (*os.File, error) {
	f, err := d.root.OpenFile(local(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		return f, nil
	}
	if real, unresolved := filepath.EvalSymlinks(d.full(path)); unresolved == nil && !errors.Is(err, fs.ErrPermission) {
		return d.openReal(path, real, err)
	}
	switch {
	case leaves(err) && (!d.isLink(path) || !d.there()):
		return nil, fmt.Errorf("%s %w", Printable(path), ErrOutside)
	case leaves(err) || errors.Is(err, fs.ErrNotExist) && d.isLink(path):
		return nil, fmt.Errorf("%s %w", Printable(path), ErrDangling)
	}
	return nil, d.named(path, err)
}

// openReal opens what a path leads to, given where that lies, if it may be opened.
func (d *rootDir) openReal(path, real string, refused error) (*os.File, error) {
	if !d.there() {
		return nil, fmt.Errorf("%s %w", Printable(path), ErrOutside)
	}
	if inside, err := filepath.Rel(d.base, real); err == nil && filepath.IsLocal(inside) {
		f, err := d.root.OpenFile(inside, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, d.named(path, refused)
		}
		return f, nil
	}
	if !ofTheHub(filepath.ToSlash(d.base), filepath.ToSlash(real)) {
		return nil, fmt.Errorf("%s %w, to %s", Printable(path), ErrOutside, Printable(real))
	}
	f, err := openExactly(real)
	if err != nil {
		return nil, d.named(path, err)
	}
	return f, nil
}

// there reports whether the directory that was opened still has the name it had: only then
// where a link leads says whether that is inside.
func (d *rootDir) there() bool {
	opened, err := d.root.Stat(".")
	if err != nil {
		return false
	}
	named, err := os.Lstat(d.base)
	return err == nil && os.SameFile(opened, named)
}

// openExactly opens a regular file at an absolute path in which nothing is a link, whatever
// takes the place of a part of it meanwhile: each part is seen to be no link, and then that
// it is what was opened.
func openExactly(path string) (*os.File, error) {
	volume := filepath.VolumeName(path) + string(filepath.Separator)
	dir, err := os.OpenRoot(volume)
	if err != nil {
		return nil, err
	}
	defer func() { dir.Close() }()
	parts := strings.Split(strings.TrimPrefix(path, volume), string(filepath.Separator))
	for _, part := range parts[:len(parts)-1] {
		seen, err := dir.Lstat(part)
		if err != nil {
			return nil, err
		}
		next, err := dir.OpenRoot(part)
		if err != nil {
			return nil, err
		}
		dir.Close()
		dir = next
		if opened, err := dir.Stat("."); err != nil || !seen.IsDir() || !os.SameFile(seen, opened) {
			return nil, fmt.Errorf("%s was replaced", Printable(part))
		}
	}
	name := parts[len(parts)-1]
	seen, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !seen.Mode().IsRegular() || !os.SameFile(seen, opened) {
		f.Close()
		return nil, fmt.Errorf("%s was replaced", Printable(name))
	}
	return f, nil
}

// isLink reports whether a path names a link, whatever it leads to.
func (d *rootDir) isLink(path string) bool {
	info, err := d.root.Lstat(local(path))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// leaves reports whether os.Root refused a path because it leads out: it is the one error
// of it that no system call gave.
func leaves(err error) bool {
	var errno syscall.Errno
	return !errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrClosed)
}

// named is an error of os.Root with the whole path in it.
func (d *rootDir) named(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: "open", Path: d.full(path), Err: err}
}
