// Package view turns a checkpoint.Model into the tree of files that a user sees:
// names, sizes, inode numbers and contents. It knows nothing of FUSE; fs serves
// a Tree as it is, and any other command can read the same files without a mount.
package view

import (
	"time"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// Tree is the whole mount. Inode numbers are 1 (the root) to len(Nodes), given in
// an order that depends on the source alone, so they are the same after a remount.
type Tree struct {
	Root *Dir
	// Nodes[ino-1] is the node with that inode number.
	Nodes []Node
	// Bytes is the size of all files that count for du, for statfs.
	Bytes int64
}

// Node is a directory or a file.
type Node struct {
	Dir  *Dir
	File *File
}

// Dir is a directory. Its entries are sorted by name within Dirs and within Files.
type Dir struct {
	Ino     uint64
	Parent  *Dir // nil for the root
	ModTime time.Time
	Dirs    []DirEntry
	Files   []FileEntry
	// Suffix ends the name of each of Files. It is kept once, because a directory
	// can hold hundreds of thousands of names.
	Suffix string
}

// DirEntry names a subdirectory.
type DirEntry struct {
	Name string
	*Dir
}

// FileEntry names a file: its name is Stem and the directory's Suffix.
type FileEntry struct {
	Stem string
	*File
}

// File is a file, and one inode however many names it has.
type File struct {
	Ino   uint64
	Size  int64
	Links uint32
	// Counted says that du counts the bytes: exactly one form of the weights does.
	Counted bool
	// Source is the file that the bytes come from: its mtime is shown and it is
	// verified after each read.
	Source *source.Source
	// Verbatim says that the bytes are those of Source, from first to last.
	Verbatim bool

	content content
}

// content makes the bytes of a file when it is opened, so that a tree of 200 000
// tensors holds no headers.
type content interface {
	data() (segment.Data, error)
}

// Open makes the file's bytes readable.
func (f *File) Open() (segment.Data, error) { return f.content.data() }
