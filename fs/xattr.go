package fs

import (
	"maps"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// attributes are the extended attributes of a node: none unless they were asked
// for, because every ls -l asks for them, file by file.
func (fs *fileSystem) attributes(ino uint64) map[string]string {
	n, ok := fs.node(ino)
	if !ok || n.File == nil {
		return nil
	}
	return n.File.Attributes()
}

// GetXAttr reads one extended attribute.
func (fs *fileSystem) GetXAttr(_ <-chan struct{}, header *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	value, ok := fs.attributes(header.NodeId)[name]
	if !ok {
		return 0, fuse.ENOATTR
	}
	return fill(dest, value)
}

// ListXAttr lists the names of extended attributes, a NUL after each.
func (fs *fileSystem) ListXAttr(_ <-chan struct{}, header *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	names := ""
	for _, name := range slices.Sorted(maps.Keys(fs.attributes(header.NodeId))) {
		names += name + "\x00"
	}
	return fill(dest, names)
}

func fill(dest []byte, value string) (uint32, fuse.Status) {
	if len(dest) < len(value) {
		return uint32(len(value)), fuse.Status(syscall.ERANGE)
	}
	return uint32(copy(dest, value)), fuse.OK
}
