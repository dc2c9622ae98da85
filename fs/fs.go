// Package fs serves a tree.Tree through FUSE. It knows no format: names, sizes and
// bytes are the tree's.
//
// The tree never changes while it is mounted, so the low-level API of go-fuse serves
// it best: a node's id is its inode number and an index into Tree.Nodes, nothing is
// allocated for a lookup, and the kernel may keep names, attributes and pages for as
// long as it likes. No lock is held while reading, and nothing is ever invalidated:
// readers that map files and fault in parallel have deadlocked file systems that did
// either (transformers#45547, hf-mount#195).
package fs

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"wfs/formats/tree"
)

// forever is how long the kernel may keep what never changes.
const forever = 365 * 24 * time.Hour

// blockSize is what stat recommends for reads.
const blockSize = 1 << 20

// nameMax is the longest name in bytes, as everywhere on Linux.
const nameMax = 255

// Options are the choices of a mount.
type Options struct {
	// Source names the mount in /proc/mounts, after "wfs:".
	Source string
	// UID and GID own the files.
	UID, GID uint32
	// Umask takes permissions away from 0444 and 0555.
	Umask      uint32
	AllowOther bool
	// Directory is the mountpoint, open; nil has Mount open it.
	Directory *os.File
	// XAttr shows extended attributes on tensor files.
	XAttr bool
	// NoPrefetch leaves reading ahead to the kernel.
	NoPrefetch bool
	// Patience is how long a request may wait for its source; 0 is a minute.
	Patience time.Duration
	Log      *slog.Logger
	// Debug logs every request.
	Debug bool
}

// fileSystem implements fuse.RawFileSystem. What a read-only file system has no
// use for is answered by defaultFS.
type fileSystem struct {
	fuse.RawFileSystem
	tree    *tree.Tree
	opt     Options
	server  *fuse.Server
	started time.Time

	files  openFiles
	faults faultLog
	waits  waiting
	memory memory
	ahead  ahead
	behind behind

	noPassthrough atomic.Bool
	counters      counters
}

var _ fuse.RawFileSystem = (*fileSystem)(nil)

func newFileSystem(tree *tree.Tree, opt Options) *fileSystem {
	return &fileSystem{RawFileSystem: readOnly{fuse.NewDefaultRawFileSystem()}, tree: tree, opt: opt, started: time.Now(),
		files: openFiles{path: tree.Path}, waits: waiting{patience: cmp.Or(opt.Patience, defaultPatience)}}
}

// String names the file system in go-fuse's messages.
func (fs *fileSystem) String() string { return "wfs" }

// Init is called when the kernel has answered.
func (fs *fileSystem) Init(server *fuse.Server) { fs.server = server }

// node finds a node by its inode number, which is all that the kernel knows.
func (fs *fileSystem) node(ino uint64) (tree.Node, bool) {
	if ino == 0 || ino > uint64(len(fs.tree.Nodes)) {
		return tree.Node{}, false
	}
	return fs.tree.Nodes[ino-1], true
}

// Lookup finds a name in a directory.
func (fs *fileSystem) Lookup(_ <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	n, ok := fs.node(header.NodeId)
	if !ok || n.Dir == nil {
		return fuse.ENOTDIR
	}
	if len(name) > nameMax { // the kernel lets 1024 bytes through
		return fuse.Status(syscall.ENAMETOOLONG)
	}
	child, ok := n.Dir.Lookup(name)
	if !ok {
		// A name that is not there now never will be.
		out.SetEntryTimeout(forever)
		return fuse.OK
	}
	if !fs.sized(child, header.Pid) {
		return fuse.EIO
	}
	fs.entry(child, out)
	return fuse.OK
}

// sized makes the size of a node known, for which the source is read once. It reports
// whether the source answered.
func (fs *fileSystem) sized(n tree.Node, pid uint32) bool {
	if n.File == nil || !n.File.Lazy() {
		return true
	}
	_, err := wait(&fs.waits, n.File.Source, caller(pid).left, func(context.Context) (int64, error) { return n.File.Size(), nil }, func(int64) {})
	return err == nil
}

// Forget has nothing to do: nodes are not made for lookups.
func (fs *fileSystem) Forget(_, _ uint64) {}

// entry fills the answer to a lookup.
func (fs *fileSystem) entry(n tree.Node, out *fuse.EntryOut) {
	fs.attr(n, &out.Attr)
	out.NodeId = out.Ino
	out.Generation = 1
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
}

// GetAttr answers stat.
func (fs *fileSystem) GetAttr(_ <-chan struct{}, input *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, ok := fs.node(input.NodeId)
	if !ok {
		return fuse.ENOENT
	}
	if !fs.sized(n, input.Pid) {
		return fuse.EIO
	}
	fs.attr(n, &out.Attr)
	// The root is asked for each time: it is what tells that a daemon is gone.
	if n.Dir == nil || n.Dir.Parent != nil {
		out.SetTimeout(forever)
	}
	return fuse.OK
}

func (fs *fileSystem) attr(n tree.Node, a *fuse.Attr) {
	a.Uid, a.Gid = fs.opt.UID, fs.opt.GID
	a.Blksize = blockSize
	if n.Dir != nil {
		a.Ino = n.Dir.Ino
		a.Mode = syscall.S_IFDIR | 0o555&^fs.opt.Umask
		a.Nlink = uint32(2 + len(n.Dir.Dirs))
		a.SetTimes(&fs.tree.ModTime, &fs.tree.ModTime, &fs.tree.ModTime)
		return
	}
	f := n.File
	a.Ino = f.Ino
	a.Mode = syscall.S_IFREG | 0o444&^fs.opt.Umask
	a.Nlink = f.Links
	a.Size = uint64(f.Size())
	if f.Counted { // one form of the weights: du would add up all
		a.Blocks = (a.Size + 511) / 512
	}
	at := f.Source.ModTime()
	a.SetTimes(&at, &at, &at)
}

// Access answers access(2) and chdir(2), where default_permissions is not set: what
// nobody may do, nobody may do.
func (fs *fileSystem) Access(_ <-chan struct{}, input *fuse.AccessIn) fuse.Status {
	n, ok := fs.node(input.NodeId)
	switch {
	case !ok:
		return fuse.ENOENT
	case input.Mask&unix.W_OK != 0:
		return fuse.EROFS
	case input.Mask&unix.X_OK != 0 && n.File != nil:
		return fuse.EACCES
	}
	return fuse.OK
}

// StatFs answers df: full, as everything read-only is.
func (fs *fileSystem) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	const unit = 4096
	out.Bsize, out.Frsize = blockSize, unit
	out.Blocks = uint64(fs.tree.Bytes+unit-1) / unit
	out.Files = uint64(len(fs.tree.Nodes))
	out.NameLen = nameMax
	return fuse.OK
}
