package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	wfs "wfs/fs"
)

// prepareMountpoint makes a missing mountpoint and refuses one that is not fit. A
// mount that a killed daemon left there is cleaned up. made says that the directory
// is new.
func prepareMountpoint(source, mountpoint string) (made bool, err error) {
	if stale(mountpoint) {
		if err := wfs.Unmount(absolutePath(mountpoint), true); err != nil {
			return false, fmt.Errorf("%s: a mount whose daemon is gone is in the way: %w", mountpoint, err)
		}
	}
	if _, err := os.Stat(source); err != nil {
		return false, shortPath(err)
	}
	if _, err := os.Stat(mountpoint); errors.Is(err, fs.ErrNotExist) {
		if err := overlap(source, mountpoint); err != nil {
			return false, err
		}
		if err := os.Mkdir(mountpoint, 0o755); err != nil {
			return false, shortPath(err)
		}
		return true, nil
	}
	if m, ok := mountAt(mountpoint); ok && m.fsType == fsType {
		return false, fmt.Errorf("%s: %s is mounted there: wfs umount it first", mountpoint, strings.TrimPrefix(m.source, "wfs:"))
	}
	entries, err := os.ReadDir(mountpoint)
	if err != nil {
		return false, shortPath(err)
	}
	if len(entries) > 0 {
		return false, fmt.Errorf("%s: the mountpoint is not empty", mountpoint)
	}
	return false, overlap(source, mountpoint)
}

// overlap refuses a mountpoint inside its source, or around it: the daemon would wait
// for itself (restic#5234).
func overlap(source, mountpoint string) error {
	src, mnt := realPath(source), realPath(mountpoint)
	inside := func(path, dir string) bool {
		return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
	}
	switch {
	case inside(mnt, src):
		return fmt.Errorf("%s: the mountpoint lies inside the source %s", mountpoint, source)
	case inside(src, mnt):
		return fmt.Errorf("%s: the source %s lies inside the mountpoint", mountpoint, source)
	}
	return nil
}

// realPath resolves links as far as the path exists.
func realPath(path string) string {
	path = absolutePath(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(parent, filepath.Base(path))
	}
	return path
}

// stale says whether the path is a mount whose daemon is gone.
func stale(path string) bool {
	var st syscall.Stat_t
	err := syscall.Stat(path, &st)
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
}

func shortPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}
