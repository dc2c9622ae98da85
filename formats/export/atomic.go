package export

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TempPrefix begins the names of what is being written. Nothing of such a name is left but
// by a process that was killed.
const TempPrefix = ".wfs-cp-"

// temp is a temporary name beside the path that it is to get.
type temp struct {
	path, name string
	// now is what is at the path already, nil for nothing.
	now fs.FileInfo
}

// newTemp chooses a temporary name for path, of which nothing is there yet.
func newTemp(path string, opt Options) (*temp, error) {
	now, err := os.Lstat(path)
	switch {
	case err == nil && !opt.Replace && !now.IsDir():
		return nil, fmt.Errorf("%s: %w", path, fs.ErrExist)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, plainPath(err)
	case err != nil:
		now = nil
	}
	return &temp{path, filepath.Join(filepath.Dir(path), TempPrefix+rand.Text()[:12]), now}, nil
}

// explain puts the path into an error that names what lies under the temporary name.
func (t *temp) explain(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	var se *os.SyscallError
	switch {
	case errors.As(err, &pe):
		if rest, ok := strings.CutPrefix(pe.Path, t.name); ok {
			return fmt.Errorf("%s%s: %w", t.path, rest, pe.Err)
		}
		return plainPath(err)
	case errors.As(err, &le):
		return fmt.Errorf("%s: %w", t.path, le.Err)
	case errors.As(err, &se):
		return fmt.Errorf("%s: %w", t.path, se.Err)
	}
	return err
}

// discard removes what is under the temporary name. After a commit that is nothing.
func (t *temp) discard() { os.RemoveAll(t.name) }

// commitFile gives a file its path, and lets that last.
func (t *temp) commitFile(opt Options) error {
	err := opt.check()
	if err != nil {
		return err
	}
	if t.now == nil {
		err = renameNew(t.name, t.path)
	} else {
		// Who could read it still can, and nobody else.
		if err = os.Chmod(t.name, t.now.Mode().Perm()); err == nil {
			err = os.Rename(t.name, t.path)
		}
	}
	return t.committed(err, opt)
}

// commitDir gives a directory its path: that of none, of an empty one, or, where it may be
// replaced, of one with something in it.
func (t *temp) commitDir(opt Options) error {
	if err := opt.check(); err != nil {
		return err
	}
	if t.now != nil {
		if err := os.Chmod(t.name, t.now.Mode().Perm()); err != nil {
			return t.explain(err)
		}
	}
	err := renameDir(t.name, t.path)
	if err != nil && t.now != nil && opt.Replace {
		err = exchange(t.name, t.path)
	}
	return t.committed(err, opt)
}

func (t *temp) committed(err error, opt Options) error {
	if err == nil && !opt.NoSync {
		err = syncDir(filepath.Dir(t.path))
	}
	if err != nil {
		return t.explain(err)
	}
	return nil
}

// swap is exchange by two renames, between which there is nothing at the path.
func swap(name, path string) error {
	old := name + "-old"
	if err := os.Rename(path, old); err != nil {
		return err
	}
	if err := os.Rename(name, path); err != nil {
		return errors.Join(err, os.Rename(old, path))
	}
	return os.RemoveAll(old)
}

// linkNew is renameNew by a second name, or, on a file system without links, by a look.
func linkNew(name, path string) error {
	err := os.Link(name, path)
	switch {
	case err == nil:
		return os.Remove(name)
	case errors.Is(err, fs.ErrExist):
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "rename", Path: path, Err: fs.ErrExist}
	}
	return os.Rename(name, path)
}

// plainPath drops the system call from a path error, which says nothing to a user.
func plainPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}
