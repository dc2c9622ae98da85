package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"wfs/formats"
	wfs "wfs/fs"
)

// maxStacked is how many dead mounts, one above the other, are cleaned up.
const maxStacked = 16

// prepareMountpoint makes a missing mountpoint and refuses one that is not fit. A
// mount that a killed daemon left there is cleaned up. made lists the directories that
// are new, the deepest first.
func prepareMountpoint(source, mountpoint string) (made []string, err error) {
	for range maxStacked {
		if !stale(mountpoint) {
			break
		}
		m, ok := mountAt(mountpoint)
		if !ok || m.fsType != fsType {
			return nil, fmt.Errorf("%s: %w", mountpoint, syscall.ENOTCONN)
		}
		if err := wfs.Unmount(m.path, true); err != nil {
			return nil, fmt.Errorf("%s: a mount whose daemon is gone is in the way: %w", mountpoint, err)
		}
	}
	if err := refuseMounted(mountpoint); err != nil {
		return nil, err
	}
	if err := checkSource(source); err != nil {
		return nil, err
	}
	if _, err := os.Stat(mountpoint); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil // claim says what is wrong with it
	}
	if err := overlap(source, mountpoint); err != nil {
		return nil, err
	}
	for dir := absolutePath(mountpoint); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, dir)
	}
	if err := os.MkdirAll(mountpoint, 0o755); err != nil {
		removeAll(made)
		return nil, shortPath(err)
	}
	return made, nil
}

// checkSource refuses at once what cannot be a source. Of what is not on this machine the daemon
// says so.
func checkSource(source string) error {
	if formats.IsRemote(source) {
		return nil
	}
	if _, err := os.Stat(source); err != nil {
		return shortPath(err)
	}
	return nil
}

func refuseMounted(mountpoint string) error {
	if m, ok := mountAt(mountpoint); ok && m.fsType == fsType {
		return fmt.Errorf("%s: %s is mounted there: wfs umount it first", mountpoint, strings.TrimPrefix(m.source, "wfs:"))
	}
	return nil
}

// claim opens a mountpoint and locks it until the file that it returns is closed: where
// two mount at once, both find it empty, and one would hide the other. From here on the
// directory goes by its descriptor; what is mounted on is what was looked at.
func claim(source, mountpoint string) (*os.File, error) {
	dir, err := os.OpenFile(mountpoint, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, shortPath(err)
	}
	// A file system that knows no locks is not a reason not to mount.
	if err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == syscall.EWOULDBLOCK {
		err = fmt.Errorf("%s: another wfs is mounting there", mountpoint)
	} else if err = refuseMounted(mountpoint); err == nil { // since it was looked at
		err = checkClaimed(dir, source, mountpoint)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// checkClaimed refuses a directory that is not a place for a mount of source.
func checkClaimed(dir *os.File, source, mountpoint string) error {
	names, err := dir.Readdirnames(1)
	switch {
	case len(names) > 0:
		return fmt.Errorf("%s: the mountpoint is not empty", mountpoint)
	case err != nil && err != io.EOF:
		return shortPath(err)
	}
	return overlap(source, locate(dir, mountpoint))
}

// locate is where an open directory lies by now, as the kernel lists mounts.
func locate(dir *os.File, path string) string {
	if now, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", dir.Fd())); err == nil {
		return now
	}
	return realPath(path)
}

// removeAll removes directories that were made for a mount that failed, as far as
// they are empty.
func removeAll(dirs []string) {
	for _, dir := range dirs {
		os.Remove(dir)
	}
}

// overlap refuses a mountpoint inside its source, or around it: the daemon would wait
// for itself (restic#5234).
func overlap(source, mountpoint string) error {
	src, mnt := realPath(source), realPath(mountpoint)
	switch {
	case inside(mnt, src):
		return fmt.Errorf("%s: the mountpoint lies inside the source %s", mountpoint, source)
	case inside(src, mnt):
		return fmt.Errorf("%s: the source %s lies inside the mountpoint", mountpoint, source)
	}
	return nil
}

// hangTimeout is how long a mount may take to answer before it counts as hung.
const hangTimeout = 3 * time.Second

// stale reports whether the path is a mount whose daemon is gone. statfs is never
// answered from a cache; a daemon that hangs does not answer it, and is not gone.
func stale(path string) bool {
	answer := make(chan error, 1)
	go func() {
		var st syscall.Statfs_t
		answer <- syscall.Statfs(path, &st)
	}()
	select {
	case err := <-answer:
		return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
	case <-time.After(hangTimeout):
		return false
	}
}
