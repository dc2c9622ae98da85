package main

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// stdout is a DEST, as of many programs.
const stdout = "-"

// destination is what kind of thing a DEST is.
type destination int

const (
	toDir destination = iota
	toFile
	toStdout
)

const viewSuffix = ".safetensors"

// otherFiles are endings of files that somebody may expect to get, and does not.
var otherFiles = []string{
	".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".mar", ".gguf", ".ggml", ".h5", ".hdf5", ".keras", ".onnx", ".npy", ".npz",
	".msgpack", ".tflite", ".pb", ".index", ".json", ".zip", ".tar", ".gz", ".tgz", ".zst", ".safetensor",
}

// destinationOf is the kind of a DEST by its name, and by what is there.
func destinationOf(dest string) (destination, error) {
	if dest == stdout {
		return toStdout, nil
	}
	info, err := os.Stat(dest)
	ext := strings.ToLower(filepath.Ext(dest))
	switch {
	case err == nil && info.IsDir() && ext == viewSuffix:
		return 0, fmt.Errorf("%s: is a directory: name a file in it", dest)
	case err == nil && info.IsDir() || os.IsPathSeparator(dest[len(dest)-1]):
		return toDir, nil
	case ext == viewSuffix:
		return toFile, nil
	case slices.Contains(otherFiles, ext):
		return 0, usagef("%s: wfs writes no %s file: DEST ends in .safetensors, or is a directory (%s/)", dest, ext, dest)
	case err == nil:
		return 0, fmt.Errorf("%s: is there and is not a directory; a file that cp writes ends in .safetensors", dest)
	}
	return toDir, nil
}

// place is where a file or directory is to be written.
type place struct {
	// dest is what the user calls it, path where it lies, links resolved.
	dest, path string
	// now is what is there already, nil for nothing.
	now fs.FileInfo
}

// placeOf finds the place of a DEST, which need not be there; its directory must.
func placeOf(dest string) (place, error) {
	p := place{dest: dest, path: plainName(dest)}
	now, err := os.Lstat(p.path)
	if err == nil && now.Mode()&fs.ModeSymlink != 0 {
		if p.path, err = filepath.EvalSymlinks(p.path); err != nil {
			return p, fmt.Errorf("%s: is a link to what is not there: name a file or directory", dest)
		}
		now, err = os.Lstat(p.path)
	}
	if err == nil {
		p.now = now
		return p, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return p, shortPath(err)
	}
	if _, err := os.Stat(filepath.Dir(p.path)); errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("%s: no such directory: make it first (mkdir -p)", filepath.Dir(p.path))
	} else if err != nil {
		return p, shortPath(err)
	}
	return p, nil
}

// checkNotSource refuses a place that is the source, or one of its files, by whatever name.
func (p place) checkNotSource(models []*checkpoint.Model, files iter.Seq[source.Source]) error {
	if p.now != nil {
		for f := range files {
			if now, err := os.Stat(f.Path()); err == nil && os.SameFile(p.now, now) {
				return fmt.Errorf("%s: is the source itself (%s)", p.dest, f.Path())
			}
		}
	}
	for _, m := range models {
		if realPath(m.Path) == realPath(p.path) {
			return fmt.Errorf("%s: is the source itself", p.dest)
		}
	}
	return nil
}

// checkFile refuses a place where there is no room for a file: no device, pipe or directory
// is replaced, and a file only by force.
func (p place) checkFile(force bool) error {
	switch {
	case p.now == nil:
	case p.now.IsDir():
		return fmt.Errorf("%s: is a directory: name a file in it", p.dest)
	case !p.now.Mode().IsRegular():
		return fmt.Errorf("%s: is not a regular file", p.dest)
	case !force:
		return fmt.Errorf("%s: is there already: --force replaces it", p.dest)
	}
	return nil
}

// checkDestination refuses a DEST of a copy that is in the way of its source, or that something
// is in the way of. path is where it lies, links resolved.
func checkDestination(models []*checkpoint.Model, dest string, kind destination, force bool) (path string, err error) {
	p, err := placeOf(dest)
	if err != nil {
		return "", err
	}
	if err := p.checkNotSource(models, sources(models)); err != nil {
		return "", err
	}
	to := realPath(p.path)
	for _, m := range models {
		if m.Dir != nil && inside(to, realPath(m.Path)) {
			return "", fmt.Errorf("%s: lies inside the source %s: copy to another directory, or name a weight file as the SOURCE", dest, m.Path)
		}
	}
	if kind == toFile {
		return p.path, p.checkFile(force)
	}
	if p.now == nil {
		return p.path, nil
	}
	if !p.now.IsDir() {
		return "", fmt.Errorf("%s: is there and is not a directory", p.path)
	}
	for _, m := range models {
		if inside(realPath(m.Path), to) {
			return "", fmt.Errorf("%s: the source %s lies inside it: name a new directory", dest, m.Path)
		}
	}
	return p.path, nil
}

// checkReplaced refuses a directory that holds what the copy does not: that would be lost.
func checkReplaced(dest string, force bool, names map[string]bool) error {
	if what := mountedAt(realPath(dest)); what != "" {
		return fmt.Errorf("%s: %s", dest, what)
	}
	dir, err := os.Open(dest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return shortPath(err)
	}
	defer dir.Close()
	if there, _ := dir.Readdirnames(1); len(there) == 0 {
		return nil
	}
	if !force {
		return fmt.Errorf("%s: is not empty: name a new directory, or a file in this one that ends in .safetensors (--force replaces an older copy)", dest)
	}
	return filepath.WalkDir(dest, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return shortPath(err)
		}
		if rel, _ := filepath.Rel(dest, path); rel != "." && !names[filepath.ToSlash(rel)] {
			return fmt.Errorf("%s: --force would remove %.200q, which the copy does not have: move it away first", dest, rel)
		}
		return nil
	})
}

// inside reports whether a path is a directory or lies below it. Both are real paths.
func inside(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, string(os.PathSeparator))+string(os.PathSeparator))
}

// sources is every file that models were opened from, and that they pass through.
func sources(models []*checkpoint.Model) iter.Seq[source.Source] {
	return func(yield func(source.Source) bool) {
		for _, m := range models {
			for _, set := range m.Sets {
				if set.IndexSource != nil && !yield(set.IndexSource) {
					return
				}
				for _, s := range set.Shards {
					if !yield(s.Source) {
						return
					}
				}
			}
			for _, f := range m.Files {
				if !yield(f.Source) {
					return
				}
			}
		}
	}
}
