package export

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// renameNew renames a file to a path where nothing is.
func renameNew(name, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	switch err {
	case nil:
		return nil
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP: // a file system, or a kernel, without
		return linkNew(name, path)
	}
	return &os.LinkError{Op: "rename", Old: name, New: path, Err: err}
}

// renameDir renames a directory to a path where nothing or an empty directory is, as
// rename(2) does and os.Rename does not.
func renameDir(name, path string) error {
	if err := unix.Rename(name, path); err != nil {
		return &os.LinkError{Op: "rename", Old: name, New: path, Err: err}
	}
	return nil
}

// exchange replaces the directory at path and removes what it was.
func exchange(name, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
	switch err {
	case nil:
		return os.RemoveAll(name)
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP:
		return swap(name, path)
	}
	return &os.LinkError{Op: "rename", Old: name, New: path, Err: err}
}

// startWriting has the kernel begin to write what lies in its cache. Without it a fsync at
// the end finds everything still to be done.
func startWriting(f *os.File, off, n int64) {
	unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

func syncFile(f *os.File) error { return f.Sync() }

// syncDir lets the names in a directory last. File systems that cannot say EINVAL.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

// canSyncAll reports whether syncAll does something.
const canSyncAll = true

// syncAll brings everything of the file system to the device that path is on.
func syncAll(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: path, Err: err}
	}
	return nil
}

// dropCache has what is read next of a file come from the device.
func dropCache(f *os.File) {
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// Free is how many bytes there is room for at path, or at what is above it, and whether
// that is known.
func Free(path string) (n int64, known bool) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(path, &st)
		if err == nil {
			blocks := st.Bavail
			if os.Geteuid() == 0 {
				blocks = st.Bfree
			}
			// A file system that has no blocks knows of no room either, and of one that is
			// read-only the write is to say so.
			known := st.Blocks > 0 && st.Flags&unix.ST_RDONLY == 0
			return int64(min(blocks, 1<<62/uint64(max(st.Bsize, 1)))) * st.Bsize, known
		}
		parent := filepath.Dir(path)
		if parent == path {
			return 0, false
		}
		path = parent
	}
}

// Sparse reports whether a file takes less room than it has bytes.
func Sparse(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Blocks*512 < st.Size
}
