//go:build linux || darwin

package blocks

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// allocated is the bytes that a file takes of the disk: a slab has holes.
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

// space is what of the disk of a directory this user may write, and its size.
func space(dir string) (free, size int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}
