// Package checkpoint is the model of what weight files hold: tensors, and the facts about
// them that views and reports need, free of any format and of FUSE. Readers make it, and
// nobody changes it after that: what a view makes of it is a value of its own.
package checkpoint

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// Classes of failure that a command tells apart by errors.Is.
var (
	// ErrUnknownFormat says that no reader knows the file.
	ErrUnknownFormat = errors.New("not a weight file that wfs knows")
	// ErrCorrupt says that the file breaks the rules of its own format.
	ErrCorrupt = errors.New("damaged")
)

// Several is why a directory is not opened that holds more models than one.
type Several struct {
	// Models are their paths below the directory.
	Models []string
	// Some names as many of them as a line holds.
	Some string
}

func (s *Several) Error() string {
	return fmt.Sprintf("it holds %d models: mount one of %s", len(s.Models), s.Some)
}

// Tensor is one array of a checkpoint.
type Tensor struct {
	// Key is the full path of the tensor in its file ("model.fc.weight"), any bytes at all.
	Key   string
	DType DType
	// Shape is in elements, slowest dimension first; empty for a scalar.
	Shape []int64
	// Data is the elements in C order, little endian: Size() bytes.
	Data segment.Data
	// Tied is the first tensor of the checkpoint with the same storage, offset,
	// dtype, shape and strides; nil for that first one.
	Tied *Tensor
	// Hidden is why the tensor is left out of the view although it is there
	// ("non-persistent buffer"); "" for all others.
	Hidden string
	// Void is the bytes of an element that has no type, which are the last dimension of
	// Shape, of U8; 0 for all others. In .npy such elements are void, without it.
	Void int64
	// Layer is the name of the layer that has the tensor, where Key does not tell.
	Layer string
	// Derived is what a tensor of a view is made of, nil for a tensor of a source.
	Derived *Derivation
}

// Derivation is how a view made a tensor.
type Derivation struct {
	// From is the keys, in their sources, of what it is made of.
	From []string
	// By is what was done ("cast to BF16"), "" where it is the one of From as it is.
	By string
	// Why is line by line what the rules did, each with its place: where a plan was asked to
	// tell.
	Why []string
}

// PlainAttribute is why a tensor is hidden that a module of a whole model holds besides its
// parameters and buffers: it is not in the state dict, and may be a weight all the same.
const PlainAttribute = "plain attribute of a module"

// Canonical is the tensor whose bytes and inode t shares: itself if it is not tied.
func (t *Tensor) Canonical() *Tensor {
	if t.Tied != nil {
		return t.Tied
	}
	return t
}

// Entry is a tensor under the key that a view gives it.
type Entry struct {
	Key string
	*Tensor
}

// Omitted is a value that no tensor file can hold.
type Omitted struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// Candidate is a key below which a file holds weights that a view could take alone.
type Candidate struct {
	// Key is without the separator at its end: "model_state_dict".
	Key string
	// What the file has there, for people: "state dict".
	What string
}

// Checkpoint is one weight file.
type Checkpoint struct {
	// Format names the container for people: "torch zip", "safetensors".
	Format string
	Source source.Source
	// Separator splits keys into the directories of tree/: "." or, for HDF5, "/".
	Separator string
	// Framework is what the view's __metadata__ says under "format": "pt" or "tf".
	Framework string
	// Metadata is further __metadata__ of the view (a .safetensors source has its own).
	Metadata map[string]string
	// Tensors is every tensor in the order of the file, each key once.
	Tensors []*Tensor
	// Candidates are the roots that a view may have instead of the whole file: one where
	// it is plain which is meant, several where the user has to choose.
	Candidates []Candidate
	// Notes are one-line remarks on the file for the terminal and meta/source.json.
	Notes   []string
	Omitted []Omitted
	// Objects is everything that is not a tensor, ready for encoding/json; nil for none.
	Objects any
	// Unpickled reports whether the library that the file is of makes objects when it loads
	// it, so that what it would do is worth a report (package audit).
	Unpickled bool
	// Files are members of the file that are passed through (config.json of a .keras).
	Files []File
	// Verbatim says that the view may be the source file, byte for byte.
	Verbatim bool
}

// Below is what a view with the given root has, in the order of the file: the tensors whose
// keys begin with it, without it. "" takes every tensor; those that are hidden are left out.
func (c *Checkpoint) Below(root string) []Entry {
	prefix := ""
	if root != "" {
		prefix = root + c.Separator
	}
	entries := make([]Entry, 0, len(c.Tensors))
	for _, t := range c.Tensors {
		if key, below := strings.CutPrefix(t.Key, prefix); below && t.Hidden == "" {
			entries = append(entries, Entry{key, t})
		}
	}
	return entries
}

// Keep is the checkpoint with those tensors alone that keep reports true for.
func (c *Checkpoint) Keep(keep func(*Tensor) bool) *Checkpoint {
	kept := *c
	kept.Tensors = nil
	for _, t := range c.Tensors {
		if keep(t) {
			kept.Tensors = append(kept.Tensors, t)
		}
	}
	kept.Verbatim = c.Verbatim && len(kept.Tensors) == len(c.Tensors)
	return &kept
}

// ByteSize is the number of bytes of a tensor. A shape that overflows, or whose elements
// do not fill whole blocks or bytes, is an error.
func ByteSize(d DType, shape []int64) (int64, error) {
	count, err := segment.Count(shape)
	if err != nil {
		return 0, err
	}
	elements, bytes := d.Block()
	if count%elements != 0 || elements > mostPacked && len(shape) > 0 && shape[len(shape)-1]%elements != 0 {
		what := "bytes"
		if elements > mostPacked { // the rows of a block type begin with a block of their own
			what = fmt.Sprintf("blocks of %d", elements)
		}
		return 0, fmt.Errorf("shape %v of %s does not fill whole %s", shape, d, what)
	}
	hi, size := bits.Mul64(uint64(count/elements), uint64(bytes))
	if hi != 0 || size > 1<<62 {
		return 0, fmt.Errorf("shape %v overflows", shape)
	}
	return int64(size), nil
}
