package source

import "fmt"

// stamp is what the system says of an open file, and what a Local is pinned to.
type stamp struct {
	size              int64
	modified, changed int64 // mtime and ctime, nanoseconds since 1970
	device, inode     uint64
	// owner is what changes the ctime and not the bytes.
	owner
}

// owner is the part of a stamp that chmod, chown and ln change.
type owner struct{ links, mode, uid, gid uint64 }

func (s stamp) String() string {
	const second = 1_000_000_000
	return fmt.Sprintf("%d:%d %d bytes, %d.%09d", s.device, s.inode, s.size, s.modified/second, s.modified%second)
}
