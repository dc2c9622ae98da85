package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"wfs/formats/source"
	"wfs/formats/tree"
)

// stackDepth allows a source that lies on overlayfs, which is stacked itself
// (Documentation/filesystems/fuse/fuse-passthrough.rst).
const stackDepth = 2

// registerBacking gives the kernel the source of a file that is one byte for byte,
// so that reads no longer come here. It returns 0 where that cannot be: without
// CAP_SYS_ADMIN, on kernels before 6.9, on file systems that cannot be stacked. The
// first refusal is the last try of this mount.
func (fs *fileSystem) registerBacking(f *tree.File) int32 {
	src, ok := f.Verbatim().(*source.Local)
	if !ok || fs.noPassthrough.Load() {
		return 0
	}
	id, errno := fs.server.RegisterBackingFd(&fuse.BackingMap{Fd: int32(src.File().Fd())})
	if errno != 0 {
		fs.noPassthrough.Store(true)
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
