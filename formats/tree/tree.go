package tree

import (
	"slices"
	"strings"
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
	// ModTime is that of all directories: of the newest weight file.
	ModTime time.Time
	// Bytes is the size of the files that count for du, for statfs.
	Bytes int64
	// Notes are remarks for the terminal: what is hidden, what was renamed.
	Notes []string
}

// Node is a directory or a file.
type Node struct {
	Dir  *Dir
	File *File
}

// Dir is a directory. Its entries are sorted by name within Dirs and by stem within Files.
type Dir struct {
	Ino    uint64
	Parent *Dir // nil for the root
	Dirs   []DirEntry
	Files  []FileEntry
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
	Links uint32
	// Counted says that du counts the bytes: exactly one form of the weights does.
	Counted bool
	// Source is the file that the bytes come from: its mtime is shown and it is
	// verified after each read.
	Source source.Source
	content
}

// content makes the size and the bytes of a file when they are asked for, so that
// a tree of 200 000 tensors holds no headers.
type content interface {
	// Size is the exact number of bytes.
	Size() int64
	// Open makes the bytes readable.
	Open() (segment.Data, error)
}

// Verbatim is the source whose bytes f has from first to last, nil for others.
func (f *File) Verbatim() source.Source {
	if _, ok := f.content.(verbatim); ok {
		return f.Source
	}
	return nil
}

// Lazy reports whether the first Size reads the source.
func (f *File) Lazy() bool {
	_, ok := f.content.(generated)
	return ok
}

// Attributes are the name and value of extended attributes, nil for a file that
// is not a tensor.
func (f *File) Attributes() map[string]string {
	if t, ok := f.content.(interface{ attributes() map[string]string }); ok {
		return t.attributes()
	}
	return nil
}

// Lookup finds an entry by its name.
func (d *Dir) Lookup(name string) (Node, bool) {
	if i, ok := slices.BinarySearchFunc(d.Dirs, name, func(e DirEntry, n string) int {
		return strings.Compare(e.Name, n)
	}); ok {
		return Node{Dir: d.Dirs[i].Dir}, true
	}
	stem, ok := strings.CutSuffix(name, d.Suffix)
	if !ok {
		return Node{}, false
	}
	i, ok := slices.BinarySearchFunc(d.Files, stem, func(e FileEntry, n string) int {
		return strings.Compare(e.Stem, n)
	})
	if !ok {
		return Node{}, false
	}
	return Node{File: d.Files[i].File}, true
}

// Path is one of the names of a file, from the root. It looks through the tree.
func (t *Tree) Path(f *File) string {
	var find func(d *Dir) string
	find = func(d *Dir) string {
		for _, e := range d.Files {
			if e.File == f {
				return e.Stem + d.Suffix
			}
		}
		for _, e := range d.Dirs {
			if path := find(e.Dir); path != "" {
				return e.Name + "/" + path
			}
		}
		return ""
	}
	return find(t.Root)
}

// Len is the number of entries.
func (d *Dir) Len() int { return len(d.Dirs) + len(d.Files) }

// Entry is the i-th entry: the directories, then the files.
func (d *Dir) Entry(i int) (name string, n Node) {
	if i < len(d.Dirs) {
		return d.Dirs[i].Name, Node{Dir: d.Dirs[i].Dir}
	}
	f := d.Files[i-len(d.Dirs)]
	return f.Stem + d.Suffix, Node{File: f.File}
}

// sort orders the entries for Lookup.
func (d *Dir) sort() {
	slices.SortFunc(d.Dirs, func(a, b DirEntry) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Files, func(a, b FileEntry) int { return strings.Compare(a.Stem, b.Stem) })
}
