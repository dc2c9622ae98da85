//go:build !linux

package export

import "os"

func renameNew(name, path string) error { return linkNew(name, path) }

// renameDir renames a directory to a path where nothing or an empty directory is.
func renameDir(name, path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Rename(name, path)
}

func exchange(name, path string) error { return swap(name, path) }

func startWriting(*os.File, int64, int64) {}

func syncFile(f *os.File) error { return f.Sync() }

// syncDir lets the names in a directory last, where the system can: Windows cannot.
func syncDir(path string) error {
	if d, err := os.Open(path); err == nil {
		d.Sync()
		d.Close()
	}
	return nil
}

// canSyncAll reports whether syncAll does something.
const canSyncAll = false

// syncAll is nothing where files are brought to the device one by one.
func syncAll(string) error { return nil }

func dropCache(*os.File) {}

// Free is not known here.
func Free(string) (n int64, known bool) { return 0, false }

// Sparse reports whether a file takes less room than it has bytes, which is not known here.
func Sparse(*os.File) bool { return false }
