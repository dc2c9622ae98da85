package checkpoint

import (
	"errors"

	"wfs/formats/source"
)

// Model is what a mount shows: the weight sets of a file or a directory, and the
// files that are passed through as they are.
type Model struct {
	// Path is the source as the user named it.
	Path string
	// Sets holds one weight set for each directory that has weights, the root first.
	Sets []*Set
	// Files are passed through.
	Files []File
	// Notes are one-line remarks on the directory: what is hidden, what is left out.
	Notes []string
}

// Set is the weights of one directory: one checkpoint, or the shards of one.
type Set struct {
	// Dir is the slash-separated directory below the root, "" for the root.
	Dir    string
	Shards []Shard
	// Index is the name of the view's index file
	// ("model.safetensors.index.json"), "" where there is none.
	Index string
	// IndexSource is the index file of the source, which serves as it is when all
	// shards do; nil where it names other files.
	IndexSource *source.Source
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
	*source.Source
}

// Close closes every source.
func (m *Model) Close() error {
	var errs []error
	for _, set := range m.Sets {
		if set.IndexSource != nil {
			errs = append(errs, set.IndexSource.Close())
		}
		for _, shard := range set.Shards {
			errs = append(errs, shard.Source.Close())
		}
	}
	for _, f := range m.Files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
