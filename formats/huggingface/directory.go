// Package huggingface reads model directories as transformers, diffusers and
// sentence-transformers write them: weights under known names, whole or in shards with
// an index file, in the directory itself or in its subdirectories, and beside them
// files that are passed through.
package huggingface

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// Bounds of a directory: descriptors are held open for each file.
const (
	maxFiles = 20_000
	maxDepth = 16
)

// OpenFile reads one weight file.
type OpenFile func(path string) (*checkpoint.Checkpoint, error)

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

type reader struct {
	open  OpenFile
	base  string // with symbolic links resolved
	model *checkpoint.Model
	count int
	// hidden are the weights that are not shown.
	hidden []string
}

// Open reads the directory dir.
func Open(dir string, open OpenFile) (*checkpoint.Model, error) {
	base, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	r := &reader{open: open, base: base, model: &checkpoint.Model{Path: dir}}
	if err := r.walk("", 0); err != nil {
		r.model.Close()
		return nil, err
	}
	if len(r.model.Sets) == 0 {
		r.model.Close()
		return nil, fmt.Errorf("%s: %w: it holds no %s, no %s and no index of shards%s",
			dir, checkpoint.ErrUnknownFormat, stems[0].safe, stems[0].other, r.instead())
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
	dir := filepath.Join(r.base, rel)
	if depth > maxDepth {
		return fmt.Errorf("%s: directories are nested more than %d deep", dir, maxDepth)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && rel != "" {
		r.note(rel + " cannot be read: it is left out")
		return nil
	}
	if err != nil {
		return err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
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
		path := filepath.ToSlash(filepath.Join(rel, e.Name()))
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		switch {
		case err != nil:
			r.note(path + " cannot be read: it is left out")
		case info.IsDir():
			if e.Type()&fs.ModeSymlink != 0 {
				r.note(path + " is a link to a directory: it is left out")
			} else if !slices.Contains(skipped, e.Name()) {
				if err := r.walk(path, depth+1); err != nil {
					return err
				}
			}
		case !info.Mode().IsRegular() || slices.Contains(used, e.Name()):
		case (weightName.MatchString(e.Name()) || otherIndex.MatchString(e.Name())) && !training.MatchString(e.Name()):
			hidden = append(hidden, path)
		default:
			if err := r.pass(path); err != nil {
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

// pass opens a file to be passed through. One that may not be read is no reason to
// refuse the rest.
func (r *reader) pass(path string) error {
	if r.count++; r.count > maxFiles {
		return fmt.Errorf("%s: it holds more than %d files", r.base, maxFiles)
	}
	full, err := r.inside(path)
	if err != nil {
		r.note(err.Error() + ": it is left out")
		return nil
	}
	src, err := source.Open(full)
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		r.note(path + " cannot be read: it is left out")
		return nil
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%s: more files than this process may open: raise the limit (ulimit -Hn)", r.base)
	case err != nil:
		return err
	}
	r.model.Files = append(r.model.Files, checkpoint.File{Path: path, Source: src})
	return nil
}

// inside resolves a path below the directory. A link may leave it only as those of
// the Hub's cache do, which point from snapshots/<revision>/ to blobs/ beside it
// (huggingface_hub/file_download.py, _create_symlink).
func (r *reader) inside(path string) (string, error) {
	full := filepath.Join(r.base, filepath.FromSlash(path))
	real, err := filepath.EvalSymlinks(full)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(real, r.base+string(filepath.Separator)) {
		return full, nil
	}
	if snapshots := filepath.Dir(r.base); filepath.Base(snapshots) == "snapshots" {
		if filepath.Dir(real) == filepath.Join(filepath.Dir(snapshots), "blobs") {
			return full, nil
		}
	}
	return "", fmt.Errorf("%s is a link that leaves the directory", path)
}

// note is a remark for the user.
func (r *reader) note(text string) { r.model.Notes = append(r.model.Notes, text) }
