package fs

import (
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"wfs/formats/source"
	"wfs/formats/tree"
)

// stackDepth is what a mount that passes files through counts for when file systems are
// laid on each other. The kernel allows two above the lowest one (FILESYSTEM_MAX_STACK_DEPTH);
// a mount of depth 1 may have its sources on any file system that is not stacked itself,
// and leaves room for one overlayfs above it. Sources on overlayfs would take a depth of 2,
// which leaves no room: they are read without passthrough. A mount with nothing to pass
// through does not ask for it, and counts for 0
// (Documentation/filesystems/fuse/fuse-passthrough.rst; fs/overlayfs/super.c).
const stackDepth = 1

// passesThrough reports whether the kernel may read some file of the tree by itself.
func passesThrough(t *tree.Tree) bool {
	for _, n := range t.Nodes {
		if n.File == nil {
			continue
		}
		if src, ok := n.File.Verbatim().(*source.Local); ok && !stacked(src.File()) {
			return true
		}
	}
	return false
}

// stacked reports whether a file is on a file system that lies on another one. Another
// FUSE file system may do so or not, which only registerBacking finds out.
func stacked(f *os.File) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil {
		return false
	}
	return st.Type == unix.OVERLAYFS_SUPER_MAGIC || st.Type == unix.ECRYPTFS_SUPER_MAGIC
}

// registerBacking gives the kernel the source of a file that is one byte for byte,
// so that reads no longer come here. It returns 0 where that cannot be: without
// CAP_SYS_ADMIN, on kernels before 6.9, on file systems that cannot be stacked. The
// first refusal is the last try of this mount, unless it is for the one file.
func (fs *fileSystem) registerBacking(f *tree.File) int32 {
	src, ok := f.Verbatim().(*source.Local)
	if !ok || fs.noPassthrough.Load() {
		return 0
	}
	id, errno := fs.server.RegisterBackingFd(&fuse.BackingMap{Fd: int32(src.File().Fd())})
	if errno != 0 {
		if errno != syscall.ELOOP { // the file system of this file is stacked
			fs.noPassthrough.Store(true)
		}
		fs.opt.Log.Debug("passthrough is not possible", "file", src.Path(), "error", errno)
		return 0
	}
	return id
}

func (fs *fileSystem) unregisterBacking(o *openFile) {
	if o.backing != 0 {
		fs.server.UnregisterBackingFd(o.backing)
	}
}
