package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"wfs/formats"
)

// A source can be an open file of the caller: /dev/fd/3, /dev/stdin, /proc/self/fd/3. A
// daemon is another process, and gets that descriptor by the same number.

// maxLinks is how many links a path may have (path_resolution(7)).
const maxLinks = 40

// descriptorIn is the descriptor of this process that a path leads through, or -1.
func descriptorIn(path string) int {
	own, err := os.Readlink("/proc/self")
	if err != nil || formats.IsRemote(path) {
		return -1
	}
	own = "/proc/" + own + "/"
	at, rest := "/", split(absolutePath(path))
	for links := 0; len(rest) > 0 && links < maxLinks; {
		name := rest[0]
		rest = rest[1:]
		target, err := os.Readlink(filepath.Join(at, name))
		if err != nil { // it is no link, or is not there
			at = filepath.Join(at, name)
			continue
		}
		if strings.HasPrefix(at, own) && filepath.Base(at) == "fd" {
			if fd, err := strconv.Atoi(name); err == nil {
				return fd
			}
		}
		links++
		if !filepath.IsAbs(target) {
			target = filepath.Join(at, target)
		}
		at, rest = "/", append(split(target), rest...)
	}
	return -1
}

// split is the names in a path.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

// nameOf is the name by which an open file can be found, where it has one; else the path
// by which it was given. Messages and the names in a mount are made of it.
func nameOf(path string) string {
	if descriptorIn(path) < 0 {
		return path
	}
	name, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	given, err := os.Stat(path)
	if err != nil {
		return path
	}
	if found, err := os.Stat(name); err != nil || !os.SameFile(given, found) {
		return path
	}
	return name
}

// dropDescriptor closes a descriptor of the caller, who may wait until nobody has the file
// open any more. The first three are never free: what is opened next would take them.
func dropDescriptor(fd int) {
	if fd > 2 {
		syscall.Close(fd)
		return
	}
	if null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		unix.Dup3(int(null.Fd()), fd, 0)
		null.Close()
	}
}
