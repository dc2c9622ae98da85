package checkpoint

import (
	"wfs/formats/segment"
	"wfs/formats/source"
)

// Match is how sure a reader is that a file is of its format. The surest reads it, so the
// order of readers does not matter.
type Match int

// The degrees of a match.
const (
	No       Match = iota
	Possible       // the file could be of the format, if no other claims it: HDF5 after a user block
	Likely         // it begins like one: any zip file may be torch's
	Certain        // it is one, though perhaps a damaged one
)

// Format is a reader of files.
type Format struct {
	Name string
	// Detect tells by the bytes of a file, never by its name. prefix is the first of them,
	// 512 at most.
	Detect func(prefix []byte, file segment.Data) Match
	// Open reads the headers of a file, and nothing in proportion to its tensors' bytes. The
	// checkpoint owns src; where Open fails the caller does. An error is one line that does
	// not name the file.
	Open func(src source.Source) (*Checkpoint, error)
}

// Place is what a user named: a directory, or a file in one.
type Place struct {
	Dir source.Dir
	// Name is the file in Dir, "" for the directory itself.
	Name string
}

// OpenFile opens the weight file at a path of a directory. Its error names the file.
type OpenFile func(dir source.Dir, path string) (*Checkpoint, error)

// DirFormat is a reader of directories, or of files that name others.
type DirFormat struct {
	Name   string
	Detect func(p Place) Match
	// Open reads the headers of all weights. Its error names the file, or the directory. A
	// model with a Dir owns p.Dir; otherwise the caller does.
	Open func(p Place, open OpenFile) (*Model, error)
}
