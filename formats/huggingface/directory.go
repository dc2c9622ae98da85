// Package huggingface reads model directories as transformers, diffusers and
// sentence-transformers write them: weights under known names, whole or in shards with
// an index file, in the directory itself or in its subdirectories, and beside them
// files that are passed through.
package huggingface

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// Bounds of a directory: descriptors are held open for each file.
const (
	maxFiles = 20_000
	maxDepth = 16
)

// weightName is what a file must not be called beside the view: clients glob for
// weights and break on two forms of them.
var weightName = regexp.MustCompile(`(?i)\.(safetensors|sft|bin|pt|pth|ckpt|h5|keras|msgpack|gguf|onnx|onnx_data|onnx\.data|tflite|ot)$`)

// otherIndex is the index file of a form that is not shown.
var otherIndex = regexp.MustCompile(`(?i)\.(safetensors|bin|h5|msgpack)(\.[^.]+)?\.index(\.[^.]+)?\.json$`)

// training is what transformers' Trainer leaves beside the weights: named like them,
// and passed through (transformers/trainer.py, OPTIMIZER_NAME and the lines around it).
var training = regexp.MustCompile(`^(training_args\.bin|optimizer\.(pt|bin)|scheduler\.pt|scaler\.pt|rng_state(_\d+)?\.pth)$`)

// skipped are directories that are no part of the model.
var skipped = []string{".git", ".cache", "__pycache__"}

// Format is the reader of model directories.
func Format() checkpoint.DirFormat {
	return checkpoint.DirFormat{Name: "huggingface", Open: open, Detect: func(p checkpoint.Place) checkpoint.Match {
		if p.Name == "" {
			return checkpoint.Likely
		}
		return checkpoint.No
	}}
}

type reader struct {
	dir   source.Dir
	open  checkpoint.OpenFile
	model *checkpoint.Model
	count int
	// hidden are the weights that are not shown.
	hidden []string
}

// open reads the directory p.Dir.
func open(p checkpoint.Place, open checkpoint.OpenFile) (*checkpoint.Model, error) {
	dir := p.Dir
	r := &reader{dir: dir, open: open, model: &checkpoint.Model{Path: dir.Path(), Dir: dir}}
	if err := r.walk("", 0); err != nil {
		r.model.Close()
		return nil, err
	}
	if len(r.model.Sets) == 0 {
		r.model.Close()
		return nil, fmt.Errorf("%s: %w: it holds no %s, no %s and no index of shards%s",
			dir.Path(), checkpoint.ErrUnknownFormat, stems[0].safe, stems[0].other, r.instead())
	}
	return r.model, nil
}

// instead says what to do with a directory that has weights under other names.
func (r *reader) instead() string {
	switch len(r.hidden) {
	case 0:
		return ""
	case 1:
		return "; mount its weight file by itself: " + r.hidden[0]
	}
	return "; mount one of its weight files by itself: " + some(r.hidden)
}

// some is the first of many names.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// walk reads one directory: its weights first, then what is passed through, then
// its subdirectories.
func (r *reader) walk(rel string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: directories are nested more than %d deep", path.Join(r.dir.Path(), rel), maxDepth)
	}
	entries, err := r.dir.List(rel)
	if err != nil && rel != "" {
		r.note(rel + " cannot be read: it is left out")
		return nil
	}
	if err != nil {
		return err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name)
	}
	set, used, err := r.weights(rel, names)
	if err != nil {
		return err
	}
	if set != nil {
		r.model.Sets = append(r.model.Sets, set)
	}
	var hidden []string
	for _, e := range entries {
		below := path.Join(rel, e.Name)
		weights := weightName.MatchString(e.Name)
		switch {
		case e.Kind == source.Unreadable:
			r.note(below + " cannot be read: it is left out")
		case e.Kind == source.LinkedDir:
			r.note(below + " is a link to a directory: it is left out")
		case e.Kind == source.Directory:
			if !slices.Contains(skipped, e.Name) {
				if err := r.walk(below, depth+1); err != nil {
					return err
				}
			}
		case e.Kind != source.File || slices.Contains(used, e.Name):
		case (weights || otherIndex.MatchString(e.Name)) && !training.MatchString(e.Name):
			r.model.Unpickled = r.model.Unpickled || weights && !isSafetensors(e.Name)
			hidden = append(hidden, below)
		default:
			r.model.Unpickled = r.model.Unpickled || weights
			if err := r.pass(below); err != nil {
				return err
			}
		}
	}
	if len(hidden) > 0 {
		r.hidden = append(r.hidden, hidden...)
		r.note("other forms of weights are hidden: " + some(hidden))
	}
	return nil
}

func isSafetensors(name string) bool { return strings.EqualFold(path.Ext(name), ".safetensors") }

// pass opens a file to be passed through. One that may not be read is no reason to
// refuse the rest.
func (r *reader) pass(path string) error {
	if r.count++; r.count > maxFiles {
		return fmt.Errorf("%s: it holds more than %d files", r.dir.Path(), maxFiles)
	}
	src, err := r.dir.Open(path)
	switch {
	case errors.Is(err, source.ErrOutside):
		r.note(err.Error() + ": it is left out")
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		r.note(path + " cannot be read: it is left out")
		return nil
	case err != nil:
		return err
	}
	r.model.Files = append(r.model.Files, checkpoint.File{Path: path, Source: src})
	return nil
}

// note is a remark for the user.
func (r *reader) note(text string) { r.model.Notes = append(r.model.Notes, text) }
