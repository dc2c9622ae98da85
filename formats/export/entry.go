package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// few is how many files are brought to the device one by one.
const few = 64

// at is where an entry lies below a directory. A path that leaves it is an error, and so is
// one that this system has no file for.
func (e Entry) at(dir string) (string, error) {
	local, err := filepath.Localize(e.Path)
	if err != nil || local == "." {
		return "", fmt.Errorf("%q cannot be the name of a file here", e.Path)
	}
	return filepath.Join(dir, local), nil
}

// entry makes a directory or a link, or makes a file and queues what is in it. It reports
// false once there is no point in more.
func (w *writer) entry(dir string, e Entry) bool {
	path, err := e.at(dir)
	switch {
	case err != nil:
	case e.Link != "":
		var first string
		if first, err = (Entry{Path: e.Link}).at(dir); err == nil {
			err = os.Link(first, path)
		}
		if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			break
		}
		// The file system has no links, or no more of them to one file.
		err = w.open(path, e)
	case e.Open == nil:
		err = os.Mkdir(path, 0o777)
	default:
		err = w.open(path, e)
	}
	if err != nil {
		w.cancel(err)
	}
	return w.ctx.Err() == nil
}

// open queues what is in a file.
func (w *writer) open(path string, e Entry) error {
	f, err := e.Open()
	if err == nil {
		w.create(path, f)
	}
	return err
}

// settle brings to the device what was not yet: small files, and the names in directories.
func (w *writer) settle(dir string, entries []Entry) error {
	if w.opt.NoSync {
		return nil
	}
	if w.late {
		return syncAll(dir)
	}
	for _, e := range entries {
		if e.Open == nil {
			path, err := e.at(dir)
			if err == nil {
				err = syncDir(path)
			}
			if err != nil {
				return err
			}
		}
	}
	return syncDir(dir)
}
