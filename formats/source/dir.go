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

// Kind is what an entry of a directory is.
type Kind int

// The kinds of entries. A symbolic link to a file is a File.
const (
	File       Kind = iota
	Directory       // below which List goes on
	LinkedDir       // a symbolic link to a directory, which is not followed
	Special         // a device, a socket, a pipe
	Unreadable      // nothing is known of it
)

// Entry is an entry of a directory.
type Entry struct {
	Name string
	Kind Kind
}

// Dir is a directory of sources. Paths are slash-separated below it.
type Dir interface {
	// Path is how the user named the directory, for messages.
	Path() string
	// List is the entries of the directory at a path, "" for the Dir itself, by name.
	List(path string) ([]Entry, error)
	// Open opens the file at a path. The error of one that is not there is fs.ErrNotExist,
	// of one that may not be read fs.ErrPermission, of one that a link has outside of the
	// directory ErrOutside.
	Open(path string) (Source, error)
}

// ErrOutside says that a link leaves the directory.
var ErrOutside = errors.New("is a link that leaves the directory")

// LocalDir is a directory of this machine.
type LocalDir struct {
	path string
	base string // with symbolic links resolved
}

// OpenDir makes a Dir of a local directory.
func OpenDir(path string) (*LocalDir, error) {
	base, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	return &LocalDir{path, base}, nil
}

// Path implements Dir.
func (d *LocalDir) Path() string { return d.path }

// List implements Dir.
func (d *LocalDir) List(path string) ([]Entry, error) {
	dir := filepath.Join(d.base, filepath.FromSlash(path))
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(list))
	for i, e := range list {
		entries[i] = Entry{e.Name(), kindOf(dir, e)}
	}
	return entries, nil
}

func kindOf(dir string, e fs.DirEntry) Kind {
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	switch {
	case err != nil:
		return Unreadable
	case info.IsDir() && e.Type()&fs.ModeSymlink != 0:
		return LinkedDir
	case info.IsDir():
		return Directory
	case info.Mode().IsRegular():
		return File
	}
	return Special
}

// Open implements Dir.
func (d *LocalDir) Open(path string) (Source, error) {
	full, err := d.inside(path)
	if err != nil {
		return nil, err
	}
	s, err := Open(full)
	if errors.Is(err, syscall.EMFILE) {
		return nil, fmt.Errorf("%s: more files than this process may open: raise the limit (ulimit -Hn)", d.base)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// inside resolves a path below the directory. A link may leave it only as those of
// the Hub's cache do, which point from snapshots/<revision>/ to blobs/ beside it
// (huggingface_hub/file_download.py, _create_symlink).
func (d *LocalDir) inside(path string) (string, error) {
	full := filepath.Join(d.base, filepath.FromSlash(path))
	real, err := filepath.EvalSymlinks(full)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(real, d.base+string(filepath.Separator)) {
		return full, nil
	}
	if snapshots := filepath.Dir(d.base); filepath.Base(snapshots) == "snapshots" {
		if filepath.Dir(real) == filepath.Join(filepath.Dir(snapshots), "blobs") {
			return full, nil
		}
	}
	return "", fmt.Errorf("%s %w", path, ErrOutside)
}
