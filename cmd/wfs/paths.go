package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"wfs/formats"
)

// absolutePath is a path from the root on. URLs stay what they are.
func absolutePath(path string) string {
	if formats.IsRemote(path) {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// realPath resolves links as far as the path exists.
func realPath(path string) string {
	if formats.IsRemote(path) {
		return path
	}
	path = absolutePath(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(realPath(parent), filepath.Base(path))
	}
	return path
}

// shortPath drops the system call from a path error, which says nothing to a user.
func shortPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}
