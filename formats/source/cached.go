package source

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotCached says that bytes are not in memory, or that nobody knows.
var ErrNotCached = errors.New("not in the page cache")

// localFileSystems are those where neither the attributes of an open file nor a page in
// the cache is asked for elsewhere, by their number in statfs(2): there ReadCached and
// Verify do not wait. Others (NFS, FUSE, overlayfs on them) are never read that way.
var localFileSystems = map[int64]bool{unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true}

// isLocal says whether a file is on one of them, and RWF_NOWAIT works there: not on ext2,
// which has the number of ext4.
func isLocal(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || !localFileSystems[int64(st.Type)] {
		return false
	}
	_, err := unix.Preadv2(int(f.Fd()), [][]byte{make([]byte, 1)}, 0, unix.RWF_NOWAIT)
	return err == nil || err == unix.EAGAIN
}

// Local says that ReadCached and Verify do not wait.
func (s *Source) Local() bool { return s.local }

// ReadCached is ReadAt that does not wait for a device: where not all bytes are in the
// page cache, the error is ErrNotCached. It costs a read no more than the system call,
// while one that may wait has to be watched.
func (s *Source) ReadCached(p []byte, off int64) (int, error) {
	if !s.local {
		return 0, ErrNotCached
	}
	p, atEnd, err := Clip(p, off, s.size)
	if err != nil {
		return 0, err
	}
	if n, _ := unix.Preadv2(int(s.file.Fd()), [][]byte{p}, off, unix.RWF_NOWAIT); n != len(p) {
		return max(n, 0), ErrNotCached
	}
	return len(p), atEnd
}
