// Package huggingface reads model directories as transformers, diffusers and
// sentence-transformers write them: weights under known names, whole or in shards with
// an index file, in the directory itself or in its subdirectories, and beside them
// files that are passed through.
package huggingface

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// OpenFile reads one weight file.
type OpenFile func(path string) (*checkpoint.Checkpoint, error)

// stem is a family of weight names: transformers/utils/__init__.py (WEIGHTS_NAME,
// SAFE_WEIGHTS_NAME), diffusers/utils/constants.py, peft/utils/constants.py.
type stem struct{ safe, other string }

var stems = []stem{
	{"model.safetensors", "pytorch_model.bin"},
	{"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"},
	{"adapter_model.safetensors", "adapter_model.bin"},
}

// weightName is what a file must not be called beside the view: clients glob for
// weights and break on two forms of them.
var weightName = regexp.MustCompile(`(?i)\.(safetensors|bin|pt|pth|ckpt|h5|keras|msgpack|gguf|onnx|tflite|ot)$`)

// otherIndex is the index file of a form that is not shown.
var otherIndex = regexp.MustCompile(`(?i)\.(safetensors|bin|h5|msgpack)(\.[^.]+)?\.index(\.[^.]+)?\.json$`)

// skipped are directories that are no part of the model.
var skipped = []string{".git", ".cache", "__pycache__"}

type reader struct {
	open  OpenFile
	base  string // with symbolic links resolved
	model *checkpoint.Model
	count int
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
		return nil, fmt.Errorf("%s: %w: it holds no %s, no %s and no index of shards",
			dir, checkpoint.ErrUnknownFormat, stems[0].safe, stems[0].other)
	}
	return r.model, nil
}

// walk reads one directory: its weights first, then what is passed through, then
// its subdirectories.
func (r *reader) walk(rel string, depth int) error {
	dir := filepath.Join(r.base, rel)
	if depth > maxDepth {
		return fmt.Errorf("%s: directories are nested more than %d deep", dir, maxDepth)
	}
	entries, err := os.ReadDir(dir)
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
	for _, e := range entries {
		path := filepath.ToSlash(filepath.Join(rel, e.Name()))
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		switch {
		case err != nil:
			r.note(set, path+" cannot be read: it is left out")
		case info.IsDir():
			if e.Type()&fs.ModeSymlink != 0 {
				r.note(set, path+" is a link to a directory: it is left out")
			} else if !slices.Contains(skipped, e.Name()) {
				if err := r.walk(path, depth+1); err != nil {
					return err
				}
			}
		case !info.Mode().IsRegular() || slices.Contains(used, e.Name()):
		case weightName.MatchString(e.Name()) || otherIndex.MatchString(e.Name()):
			if harmless(e.Name()) {
				if err := r.pass(path); err != nil {
					return err
				}
			} else {
				r.note(set, path+" is another form of weights: it is hidden")
			}
		default:
			if err := r.pass(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// harmless are files with a weight's ending that are none.
func harmless(name string) bool {
	return name == "training_args.bin" || name == "scheduler.pt" || name == "optimizer.pt" || name == "rng_state.pth"
}

// pass opens a file to be passed through.
func (r *reader) pass(path string) error {
	if r.count++; r.count > maxFiles {
		return fmt.Errorf("%s: it holds more than %d files", r.base, maxFiles)
	}
	full, err := r.inside(path)
	if err != nil {
		r.note(nil, err.Error()+": it is left out")
		return nil
	}
	src, err := source.Open(full)
	if err != nil {
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

// note is remembered with the first checkpoint, which tells the user.
func (r *reader) note(set *checkpoint.Set, text string) {
	if set == nil && len(r.model.Sets) > 0 {
		set = r.model.Sets[0]
	}
	if set != nil && len(set.Shards) > 0 {
		c := set.Shards[0].Checkpoint
		c.Notes = append(c.Notes, text)
	}
}
