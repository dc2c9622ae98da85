package source

import (
	"os"

	"golang.org/x/sys/unix"

	"wfs/formats/segment"
)

var _ PageCached = (*Local)(nil)

// localFileSystems are those where neither the attributes of an open file nor a page in
// the cache is asked for elsewhere, by their number in statfs(2): there ReadCached and
// Verify do not wait. Others (NFS, FUSE, overlayfs on them) are never read that way.
var localFileSystems = map[int64]bool{unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true}

// isLocal reports whether a file is on one of them, and RWF_NOWAIT works there: not on ext2,
// which has the number of ext4.
func isLocal(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || !localFileSystems[int64(st.Type)] {
		return false
	}
	_, err := unix.Preadv2(int(f.Fd()), [][]byte{make([]byte, 1)}, 0, unix.RWF_NOWAIT)
	return err == nil || err == unix.EAGAIN
}

// Instant implements PageCached.
func (s *Local) Instant() bool { return s.instant }

// ReadCached is ReadAt that does not wait for a device: where not all bytes are in the
// page cache, the error is segment.ErrNotCached. It costs a read no more than the system call,
// while one that may wait has to be watched.
func (s *Local) ReadCached(p []byte, off int64) (int, error) {
	if !s.instant {
		return 0, segment.ErrNotCached
	}
	p, atEnd, err := segment.Clip(p, off, s.size)
	if err != nil {
		return 0, err
	}
	if n, _ := unix.Preadv2(int(s.file.Fd()), [][]byte{p}, off, unix.RWF_NOWAIT); n != len(p) {
		return max(n, 0), segment.ErrNotCached
	}
	return len(p), atEnd
}
