package tree

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"wfs/formats/source"
)

var _ fs.FS = (*Tree)(nil)

// Open implements fs.FS: the tree as any program of Go reads files. A file is an
// io.ReaderAt and an io.Seeker too. Names that are not UTF-8, which files that are passed
// through can have, are not valid in an fs.FS and cannot be opened.
func (t *Tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	n, ok := t.Find(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	info := t.info(path.Base(name), n)
	if n.Dir != nil {
		return &openDir{info: info, tree: t, dir: n.Dir, path: name}, nil
	}
	data, err := n.File.Open()
	if err == nil {
		err = source.VerifyRead(n.File.Source, data, 0, data.Size())
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := &openFile{info: info, path: name}
	f.SectionReader = io.NewSectionReader(source.Verified(data, n.File.Source), 0, data.Size())
	return f, nil
}

// Find is the node at a slash-separated path below the root, which is ".".
func (t *Tree) Find(name string) (n Node, found bool) {
	n, found = Node{Dir: t.Root}, true
	if name == "." {
		return n, true
	}
	for part := range strings.SplitSeq(name, "/") {
		if n.Dir == nil {
			return Node{}, false
		}
		if n, found = n.Dir.Lookup(part); !found {
			return Node{}, false
		}
	}
	return n, true
}

func (t *Tree) info(name string, n Node) info { return info{name, n, t.ModTime} }

// info implements fs.FileInfo and, with the few things that a directory says, fs.DirEntry.
type info struct {
	name string
	node Node
	made time.Time // of directories
}

var (
	_ fs.FileInfo = info{}
	_ fs.DirEntry = info{}
)

func (i info) Name() string               { return i.name }
func (i info) IsDir() bool                { return i.node.Dir != nil }
func (i info) Type() fs.FileMode          { return i.Mode().Type() }
func (i info) Info() (fs.FileInfo, error) { return i, nil }
func (i info) Sys() any                   { return nil }
func (i info) String() string             { return fs.FormatFileInfo(i) }

func (i info) Size() int64 {
	if i.IsDir() {
		return 0
	}
	return i.node.File.Size()
}

func (i info) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

func (i info) ModTime() time.Time {
	if i.IsDir() {
		return i.made
	}
	return i.node.File.Source.ModTime()
}

// openFile is a file of the tree as an fs.File.
type openFile struct {
	info
	path string
	*io.SectionReader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Size() int64                { return f.info.Size() }
func (f *openFile) Close() error               { return nil }

// Read implements io.Reader.
func (f *openFile) Read(p []byte) (int, error) {
	n, err := f.SectionReader.Read(p)
	if err != nil && err != io.EOF {
		err = &fs.PathError{Op: "read", Path: f.path, Err: err}
	}
	return n, err
}

// openDir is a directory of the tree as an fs.ReadDirFile.
type openDir struct {
	info
	tree *Tree
	dir  *Dir
	path string
	next int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

// Read implements fs.File.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("is a directory")}
}

// ReadDir implements fs.ReadDirFile. What is listed at once is sorted.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	left := d.dir.Len() - d.next
	if n > 0 && left == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > left {
		n = left
	}
	list := make([]fs.DirEntry, n)
	for i := range list {
		list[i] = d.tree.info(d.dir.Entry(d.next + i))
	}
	d.next += n
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}
