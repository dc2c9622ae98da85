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

// String is an Identity: where another has the same one, no byte was written in between,
// and no mtime put back.
func (s stamp) String() string {
	return fmt.Sprintf("%d:%d %d bytes, %d ns, changed %d ns", s.device, s.inode, s.size, s.modified, s.changed)
}
