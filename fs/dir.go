package fs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"wfs/formats/tree"
)

// OpenDir lets the kernel keep the listing.
func (fs *fileSystem) OpenDir(_ <-chan struct{}, input *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if n, ok := fs.node(input.NodeId); !ok || n.Dir == nil {
		return fuse.ENOTDIR
	}
	out.OpenFlags = fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// listing is one entry of a directory as readdir has it. Positions 0 and 1 are "."
// and "..", the rest are the directory's own.
func listing(d *tree.Dir, position int) (fuse.DirEntry, tree.Node) {
	up := d
	if d.Parent != nil {
		up = d.Parent
	}
	switch position {
	case 0:
		return fuse.DirEntry{Name: ".", Ino: d.Ino, Mode: syscall.S_IFDIR}, tree.Node{}
	case 1:
		return fuse.DirEntry{Name: "..", Ino: up.Ino, Mode: syscall.S_IFDIR}, tree.Node{}
	}
	name, n := d.Entry(position - 2)
	if n.Dir != nil {
		return fuse.DirEntry{Name: name, Ino: n.Dir.Ino, Mode: syscall.S_IFDIR}, n
	}
	return fuse.DirEntry{Name: name, Ino: n.File.Ino, Mode: syscall.S_IFREG}, n
}

// ReadDir lists names. The offset is the position in the listing.
func (fs *fileSystem) ReadDir(_ <-chan struct{}, input *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return fs.list(input, func(e fuse.DirEntry, _ tree.Node) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus lists names with their attributes: ls -l of 200 000 files asks once
// for hundreds of files instead of once for each.
func (fs *fileSystem) ReadDirPlus(_ <-chan struct{}, input *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	answers := true
	status := fs.list(input, func(e fuse.DirEntry, n tree.Node) bool {
		if answers = fs.sized(n, input.Pid); !answers {
			return false
		}
		entry := out.AddDirLookupEntry(e)
		if entry == nil {
			return false
		}
		if n != (tree.Node{}) { // "." and ".." are not looked up
			fs.entry(n, entry)
		}
		return true
	})
	if !answers {
		return fuse.EIO
	}
	return status
}

func (fs *fileSystem) list(input *fuse.ReadIn, add func(fuse.DirEntry, tree.Node) bool) fuse.Status {
	n, ok := fs.node(input.NodeId)
	if !ok || n.Dir == nil {
		return fuse.ENOTDIR
	}
	end := uint64(n.Dir.Len() + 2)
	for i := input.Offset; i < end && add(listing(n.Dir, int(i))); i++ {
	}
	return fuse.OK
}
