// Package formats opens weight files and model directories. A byte travels one way:
//
//	source       a pinned run of bytes, and a directory of them
//	torch        zip, legacy and tar files, TorchScript; pickled values → tensors
//	safetensors  headers, read and laid out
//	hdf5, keras  a lazy reader of HDF5, and what Keras writes in it
//	gguf, numpy  llama.cpp's files, whole and split; arrays, one by one and in zip files
//	huggingface  directories, shards, indices
//	checkpoint   what they make: Model, Set, Tensor, DType
//	view         what of a model a view shows: Rules → Plan
//	tree         names, inodes and contents of the files that users see
//
// Beside that way lie segment (runs of bytes, below all of it), pickle, zip and deflate
// (containers and codecs), and audit (what loading a file would do).
package formats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/gguf"
	"wfs/formats/hdf5"
	"wfs/formats/huggingface"
	"wfs/formats/keras"
	"wfs/formats/numpy"
	"wfs/formats/safetensors"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/torch"
)

// opener is the readers, and the caches that what they open shares.
type opener struct {
	files    []checkpoint.Format
	dirs     []checkpoint.DirFormat
	inflated *deflate.Cache
}

// newOpener makes the two tables: a row for each reader, in no order.
func newOpener() *opener {
	chunks, inflated := hdf5.NewChunkCache(hdf5.DefaultCacheSize), deflate.NewCache()
	bands, splits := segment.NewBands(segment.DefaultBandsSize), gguf.SplitFormat()
	return &opener{
		inflated: inflated,
		files: []checkpoint.Format{
			safetensors.Format(),
			keras.Format(chunks, inflated),
			torch.Format(inflated, bands),
			gguf.Format(),
			numpy.Format(bands),
			numpy.ArchiveFormat(inflated, bands),
		},
		dirs: []checkpoint.DirFormat{
			huggingface.Format(huggingface.Joins{Splits: splits, Arrays: numpy.Directory(bands)}),
			huggingface.IndexFormat(),
			splits,
		},
	}
}

// sniffed is how many bytes of a file decide on its format.
const sniffed = 512

// Open reads the headers of a weight file or a model directory of this machine, or of another
// with what is the default for Sources, and no cache on the disk. An error is one line that
// begins with the file's name.
func Open(path string) (*checkpoint.Model, error) { return NewSources(SourceOptions{}).Open(path) }

// Open is Open, of anything that users name.
func (s *Sources) Open(name string) (*checkpoint.Model, error) {
	var m *checkpoint.Model
	var err error
	if !IsRemote(name) {
		m, err = open(name)
	} else if m, err = s.openRemote(name); err == nil {
		m.Notes = append(m.Notes, s.Notes()...)
	}
	if err != nil {
		return nil, plainPath(err)
	}
	return m, nil
}

func open(path string) (m *checkpoint.Model, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	dir, place := path, checkpoint.Place{}
	if !info.IsDir() {
		dir, place.Name = filepath.Dir(path), filepath.Base(path)
	}
	if place.Dir, err = source.OpenDir(dir); err != nil {
		return nil, err
	}
	return newOpener().place(place, func() (source.Source, error) { return source.Open(path) }, path)
}

func (s *Sources) openRemote(name string) (*checkpoint.Model, error) {
	place, err := s.Find(name)
	if err != nil {
		return nil, err
	}
	return newOpener().place(place, func() (source.Source, error) { return place.Dir.Open(place.Name) }, Shown(name))
}

// place opens what is at a place: a directory, a file that names others, or the file that file
// opens, which the user called path. It owns the place's Dir.
func (o *opener) place(place checkpoint.Place, file func() (source.Source, error), path string) (m *checkpoint.Model, err error) {
	defer func() {
		if m == nil || m.Dir != place.Dir {
			place.Dir.Close()
		}
	}()
	best, open := checkpoint.No, checkpoint.DirFormat{}
	for _, f := range o.dirs {
		if match := f.Detect(place); match > best {
			best, open = match, f
		}
	}
	if best > checkpoint.No {
		return open.Open(place, o.openAt)
	}
	c, err := o.open(file())
	if err != nil {
		return nil, err
	}
	return checkpoint.Single(path, c), nil
}

// openAt is a checkpoint.OpenFile.
func (o *opener) openAt(dir source.Dir, path string) (*checkpoint.Checkpoint, error) {
	return o.open(dir.Open(path))
}

// open reads the headers of one weight file that was opened, or not.
func (o *opener) open(src source.Source, err error) (*checkpoint.Checkpoint, error) {
	if err != nil {
		return nil, plainPath(err)
	}
	c, err := o.read(src)
	if err != nil {
		src.Close()
		return nil, fmt.Errorf("%s: %w", src.Path(), err)
	}
	return c, nil
}

func (o *opener) read(src source.Source) (c *checkpoint.Checkpoint, err error) {
	prefix := make([]byte, min(sniffed, src.Size()))
	if err := segment.ReadFull(src, prefix, 0); err != nil {
		return nil, err
	}
	// A reader that panics on a file is a bug, and still must not take down a daemon
	// that opens a directory of files.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w in a way that wfs did not expect: %v", checkpoint.ErrCorrupt, r)
		}
	}()
	best, open := checkpoint.No, checkpoint.Format{}
	for _, f := range o.files {
		if match := f.Detect(prefix, src); match > best {
			best, open = match, f
		}
	}
	if best == checkpoint.No {
		return nil, fmt.Errorf("%w (%s)", checkpoint.ErrUnknownFormat, unknown(src, prefix))
	}
	if c, err = open.Open(src); err != nil {
		if what := explain(src, err, o.inflated); what != "" {
			err = fmt.Errorf("%w (%s)", checkpoint.ErrUnknownFormat, what)
		}
		return nil, err
	}
	return c, nil
}

// plainPath drops the system call from a path error, which says nothing to a user.
func plainPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}
