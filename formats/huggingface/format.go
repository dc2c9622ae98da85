// Package huggingface reads model directories as transformers, diffusers, PEFT,
// sentence-transformers, open_clip, timm and Keras write them: weights under known names,
// whole or in shards with an index file, in the directory itself or in its subdirectories,
// and beside them files that are passed through. It reads an index file by itself too.
//
// A directory is listed first (list.go), and by names alone it is decided which weights
// are shown (choose.go) and which files are other forms of them (names.go). Then those
// weights are opened (sets.go, index.go), and every other file (pass.go).
package huggingface

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// Joins are readers of what lies in several files, which are not called as this package
// knows it.
type Joins struct {
	// Splits opens a file that says that it is one of several, with the others.
	Splits checkpoint.DirFormat
	// Arrays opens files of NumPy, at the given paths, as one checkpoint. Its error names the
	// file.
	Arrays func(dir source.Dir, paths []string) (*checkpoint.Checkpoint, error)
}

// Format is the reader of model directories.
func Format(joins Joins) checkpoint.DirFormat {
	open := func(p checkpoint.Place, open checkpoint.OpenFile) (*checkpoint.Model, error) {
		return (&reader{dir: p.Dir, open: open, joins: joins, model: &checkpoint.Model{Path: p.Dir.Path(), Dir: p.Dir}}).all()
	}
	return checkpoint.DirFormat{Name: "huggingface", Open: open, Detect: func(p checkpoint.Place) checkpoint.Match {
		if p.Name == "" {
			return checkpoint.Likely
		}
		return checkpoint.No
	}}
}

// IndexFormat is the reader of the index files of shards.
func IndexFormat() checkpoint.DirFormat {
	return checkpoint.DirFormat{Name: "index of shards", Detect: detectIndex, Open: openIndex}
}

type reader struct {
	dir   source.Dir
	open  checkpoint.OpenFile
	joins Joins
	model *checkpoint.Model
	// listed counts entries, passed counts files.
	listed, passed int
	// hidden are the files whose tensors the view has.
	hidden []string
}

// all reads the directory.
func (r *reader) all() (*checkpoint.Model, error) {
	if err := r.read(); err != nil {
		r.model.Close()
		return nil, err
	}
	return r.model, nil
}

func (r *reader) read() error {
	if err := r.enterSnapshot(); err != nil {
		return err
	}
	root, err := r.list(nil, "", 0)
	if err != nil {
		return err
	}
	if err := r.choose(root); err != nil {
		return err
	}
	if err := r.openSets(root); err != nil {
		return err
	}
	if err := r.pass(root); err != nil {
		return err
	}
	if len(r.hidden) > 0 {
		r.note("hidden, because the view has their tensors: " + some(r.hidden))
	}
	return nil
}

// openIndex reads the shards of the index p.Name and no other file.
func openIndex(p checkpoint.Place, open checkpoint.OpenFile) (*checkpoint.Model, error) {
	r := &reader{dir: p.Dir, open: open, model: &checkpoint.Model{Path: filepath.Join(p.Dir.Path(), p.Name)}}
	set, _, err := r.openSet(&folder{}, indexNamed(p.Name, bytes.Contains(headOf(p), []byte(".weights.h5"))))
	if err != nil {
		return nil, err
	}
	r.model.Sets = []*checkpoint.Set{set}
	return r.model, nil
}

// note is a remark for the user.
func (r *reader) note(text string) { r.model.Notes = append(r.model.Notes, text) }

// fail is an error of the whole directory.
func (r *reader) fail(format string, args ...any) error {
	return fmt.Errorf("%s: %w", source.Printable(r.model.Path), fmt.Errorf(format, args...))
}

// printed is the path of a file below the root, for a message.
func printed(dir, name string) string { return source.Printable(path.Join(dir, name)) }
