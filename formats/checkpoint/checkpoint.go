// Package checkpoint is the model of a weight file: a Checkpoint with its
// Tensors, free of any format and of FUSE. Readers make it, views transform it,
// fs shows it.
package checkpoint

import (
	"fmt"
	"math/bits"

	"wfs/formats/segment"
	"wfs/formats/source"
)

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
}

// Canonical is the tensor whose bytes and inode t shares: itself if it is not tied.
func (t *Tensor) Canonical() *Tensor {
	if t.Tied != nil {
		return t.Tied
	}
	return t
}

// Omitted is a value that no tensor file can hold.
type Omitted struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// Checkpoint is one weight file.
type Checkpoint struct {
	// Format names the container for people: "torch zip", "safetensors".
	Format string
	Source *source.Source
	// Separator splits keys into the directories of tree/: "." or, for HDF5, "/".
	Separator string
	// Framework is what the view's __metadata__ says under "format": "pt" or "tf".
	Framework string
	// Metadata is further __metadata__ of the view (a .safetensors source has its own).
	Metadata map[string]string
	// Tensors is every tensor in the order of the file, each key once.
	Tensors []*Tensor
	// Root is the key prefix of the state dict that the view takes, without the
	// last separator; "" takes every tensor. Its tensors lose the prefix.
	Root string
	// Notes are one-line remarks for the terminal and meta/source.json ("view takes
	// the state dict at model_state_dict").
	Notes   []string
	Omitted []Omitted
	// Objects is everything that is not a tensor, ready for encoding/json; nil for none.
	Objects any
	// Pickles is the security report, nil where the format has no pickles. It reads
	// the file when it is called.
	Pickles func() (Report, error)
	// Files are members of the file that are passed through (config.json of a .keras).
	Files []File
	// Verbatim says that the view may be the source file, byte for byte.
	Verbatim bool
}

// Report is a security report on the pickles of a file (formats/pickle makes it).
type Report interface {
	// JSON and Text render it for meta/pickle.json and meta/pickle.txt.
	JSON() ([]byte, error)
	Text() string
	// Dangerous is why --refuse-unsafe refuses the file, "" if it does not.
	Dangerous() string
}

// View is a tensor under the key that the view gives it.
type View struct {
	Key string
	*Tensor
}

// View lists the tensors of the view in the order of the file.
func (c *Checkpoint) View() []View {
	prefix := ""
	if c.Root != "" {
		prefix = c.Root + c.Separator
	}
	views := make([]View, 0, len(c.Tensors))
	for _, t := range c.Tensors {
		if t.Hidden != "" || len(t.Key) < len(prefix) || t.Key[:len(prefix)] != prefix {
			continue
		}
		views = append(views, View{t.Key[len(prefix):], t})
	}
	return views
}

// ByteSize is the number of bytes of a tensor. A shape that overflows, or that
// does not fill whole bytes with a sub-byte dtype, is an error.
func ByteSize(d DType, shape []int64) (int64, error) {
	count, err := segment.Count(shape)
	if err != nil {
		return 0, err
	}
	hi, total := bits.Mul64(uint64(count), uint64(d.Bits()))
	size := hi<<61 | total>>3
	if hi >= 8 || size > 1<<62 {
		return 0, fmt.Errorf("shape %v overflows", shape)
	}
	if total%8 != 0 {
		return 0, fmt.Errorf("shape %v of %s does not fill whole bytes", shape, d)
	}
	return int64(size), nil
}
