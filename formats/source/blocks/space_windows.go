package blocks

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// allocated is the bytes that a file takes of the disk.
func allocated(info fs.FileInfo) int64 { return info.Size() }

// space is what of the disk of a directory this user may write, and its size.
func space(dir string) (free, size int64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var available, total uint64
	err = windows.GetDiskFreeSpaceEx(path, &available, &total, nil)
	return int64(available), int64(total), err
}
