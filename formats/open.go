// Package formats opens weight files and model directories. Data flows one way:
// source → a reader of its format → checkpoint.Checkpoint → view.Tree → fs.
//
//	source       a pinned file: io.ReaderAt, size, identity
//	torch        zip, legacy and tar files, TorchScript; pickled values → tensors
//	pickle       bounded opcode scanner, symbolic machine, security report
//	safetensors  headers, read and laid out
//	hdf5, keras  a lazy reader of HDF5, and what Keras writes in it
//	huggingface  directories, shards, indices
//	checkpoint   the model: Checkpoint, Tensor, DType
//	segment      the read path of every virtual file
//	view         names, inodes and contents of the tree that users see
package formats

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/huggingface"
	"wfs/formats/keras"
	"wfs/formats/safetensors"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/torch"
)

// Options change how a source is read.
type Options struct {
	// Root is the key prefix of the state dict for the view; "." takes everything,
	// "" what the reader of the format chooses.
	Root string
}

// format is a reader and how it knows its files: by their bytes, never by their names.
type format struct {
	detect func(prefix []byte, src *source.Source) bool
	open   func(src *source.Source) (*checkpoint.Checkpoint, error)
}

var readers = []format{
	{func(prefix []byte, _ *source.Source) bool { return safetensors.Detect(prefix) }, safetensors.Open},
	{func(prefix []byte, src *source.Source) bool { return keras.Detect(prefix, nothing) }, keras.Open},
	{func(prefix []byte, src *source.Source) bool { return keras.DetectZip(prefix, src) }, keras.Open},
	{func(prefix []byte, src *source.Source) bool { return torch.Detect(prefix, src) }, torch.Open},
	// HDF5 behind a user block: programs that look at the first bytes read that.
	{func(prefix []byte, src *source.Source) bool { return keras.Detect(prefix, src) }, keras.Open},
}

// nothing is a file of no bytes.
var nothing = segment.Literal(nil)

// sniffed is how many bytes of a file decide on its format.
const sniffed = 512

// Open reads the headers of a weight file or a model directory. An error is one
// line that begins with the file's name.
func Open(path string, opt Options) (*checkpoint.Model, error) {
	m, err := open(path)
	if err != nil {
		return nil, plainPath(err)
	}
	if err := chooseRoot(m, opt.Root); err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func open(path string) (*checkpoint.Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return huggingface.Open(path, openFile)
	}
	if src, err := source.Open(path); err == nil {
		defer src.Close()
		prefix := make([]byte, min(4096, src.Size()))
		if n, _ := src.ReadAt(prefix, 0); keras.DetectIndex(prefix[:n]) {
			return keras.OpenIndex(src, openFile)
		}
	}
	c, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &checkpoint.Model{Path: path, Files: c.Files, Sets: []*checkpoint.Set{{
		Shards: []checkpoint.Shard{{Checkpoint: c, ViewName: "model.safetensors"}},
	}}}, nil
}

// openFile reads the headers of one weight file.
func openFile(path string) (*checkpoint.Checkpoint, error) {
	src, err := source.Open(path)
	if err != nil {
		return nil, plainPath(err)
	}
	c, err := read(src)
	if err != nil {
		src.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func read(src *source.Source) (c *checkpoint.Checkpoint, err error) {
	prefix := make([]byte, min(sniffed, src.Size()))
	if n, err := src.ReadAt(prefix, 0); n < len(prefix) {
		return nil, err
	}
	// A reader that panics on a file is a bug, and still must not take down a daemon
	// that opens a directory of files.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w in a way that wfs did not expect: %v", checkpoint.ErrCorrupt, r)
		}
	}()
	for _, f := range readers {
		if f.detect(prefix, src) {
			return f.open(src)
		}
	}
	return nil, fmt.Errorf("%w (%s)", checkpoint.ErrUnknownFormat, Guess(prefix))
}

// plainPath drops the system call from a path error, which says nothing to a user.
func plainPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}

// chooseRoot applies --root: a prefix that tensors must have. Of shards some may
// have none of them.
func chooseRoot(m *checkpoint.Model, root string) error {
	if root == "" {
		return nil
	}
	found := root == "."
	var names []string
	for _, set := range m.Sets {
		for _, s := range set.Shards {
			if s.Root = strings.TrimSuffix(root, s.Separator); root == "." {
				s.Root = ""
			}
			// What a reader says of its own choice no longer holds.
			s.Notes = slices.DeleteFunc(s.Notes, func(note string) bool { return strings.HasPrefix(note, "the view takes ") })
			found = found || len(s.View()) > 0
			names = append(names, tops(s.Checkpoint)...)
		}
	}
	if found {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("no tensor lies below %q: choose one of %s", root, strings.Join(some(slices.Compact(names)), ", "))
}

// some is as many names as a line holds, and the one that takes everything.
func some(names []string) []string {
	const most = 8
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return append(names, `"."`)
}

// tops is the first parts of the keys.
func tops(c *checkpoint.Checkpoint) []string {
	var names []string
	seen := map[string]bool{}
	for _, t := range c.Tensors {
		if top, _, nested := strings.Cut(t.Key, c.Separator); nested && !seen[top] {
			seen[top] = true
			names = append(names, fmt.Sprintf("%.40q", top))
		}
	}
	return names
}
