package checkpoint

import (
	"errors"
	"iter"
	"path"

	"wfs/formats/source"
)

// Model is what was opened: the weight sets of a file or a directory, and the files that
// are passed through as they are.
type Model struct {
	// Path is the source as the user named it.
	Path string
	// Dir is the directory that was opened, nil for a file by itself.
	Dir source.Dir
	// Sets holds the weights of each directory that has some, the root first.
	Sets []*Set
	// Files are passed through.
	Files []File
	// Notes are one-line remarks on the directory: what is hidden, what is left out.
	Notes []string
	// Unpickled reports whether a file of Dir, shown or not, may be one whose library makes
	// objects when it loads it.
	Unpickled bool
}

// Set is weights of one directory: one checkpoint, or the shards of one.
type Set struct {
	// Dir is the slash-separated directory below the root, "" for the root.
	Dir string
	// Name tells the further sets of a directory from its first, where it is "": their
	// single tensors lie in a directory of that name.
	Name   string
	Shards []Shard
	// Index is the name of the view's index file
	// ("model.safetensors.index.json"), "" where there is none.
	Index string
	// IndexSource is the index file of the source, which serves as it is when all
	// shards do; nil where it names other files.
	IndexSource source.Source
}

// Shard is one weight file and the name that its view has.
type Shard struct {
	*Checkpoint
	ViewName string
}

// File is a file of the source directory.
type File struct {
	// Path is slash-separated below the root.
	Path string
	source.Source
}

// Single is the model of a weight file by itself.
func Single(path string, c *Checkpoint) *Model {
	return &Model{Path: path, Files: c.Files, Sets: []*Set{{Shards: []Shard{{c, "model.safetensors"}}}}}
}

// Shards goes over all weight files.
func (m *Model) Shards() iter.Seq2[*Set, Shard] {
	return func(yield func(*Set, Shard) bool) {
		for _, set := range m.Sets {
			for _, s := range set.Shards {
				if !yield(set, s) {
					return
				}
			}
		}
	}
}

// Origin is where a tensor is from.
type Origin struct {
	Set *Set
	Shard
}

// Tensors goes over all tensors of all files.
func (m *Model) Tensors() iter.Seq2[Origin, *Tensor] {
	return func(yield func(Origin, *Tensor) bool) {
		for set, s := range m.Shards() {
			for _, t := range s.Tensors {
				if !yield(Origin{set, s}, t) {
					return
				}
			}
		}
	}
}

// Count is the number of tensors of all files.
func (m *Model) Count() int {
	n := 0
	for _, s := range m.Shards() {
		n += len(s.Tensors)
	}
	return n
}

// MayUnpickle reports whether the library of one of the files makes objects when it loads it.
func (m *Model) MayUnpickle() bool {
	for _, s := range m.Shards() {
		if s.Unpickled {
			return true
		}
	}
	return m.Unpickled
}

// Place is the directory of the set's single tensors, below that of all.
func (s *Set) Place() string { return path.Join(s.Dir, s.Name) }

// Qualify is a key of the set as it is told from those of other sets: with their directories.
func (s *Set) Qualify(key string) string {
	if place := s.Place(); place != "" {
		return place + "/" + key
	}
	return key
}

// Join is the path of name in the directory of the set.
func (s *Set) Join(name string) string {
	if s.Dir == "" {
		return name
	}
	return s.Dir + "/" + name
}

// Verify reports source.ErrStale when the bytes of a weight file may be others than when it
// was opened.
func (m *Model) Verify() error {
	for _, s := range m.Shards() {
		if err := s.Source.Verify(); err != nil {
			return err
		}
	}
	return nil
}

// Close closes every source, and the directory.
func (m *Model) Close() error {
	var errs []error
	for _, set := range m.Sets {
		if set.IndexSource != nil {
			errs = append(errs, set.IndexSource.Close())
		}
	}
	for _, s := range m.Shards() {
		errs = append(errs, s.Source.Close())
	}
	for _, f := range m.Files {
		errs = append(errs, f.Close())
	}
	if m.Dir != nil {
		errs = append(errs, m.Dir.Close())
	}
	return errors.Join(errs...)
}
