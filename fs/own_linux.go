package fs

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A thread that reads the mount it is part of serving must not have the connection open. When
// the daemon is killed, the kernel ends the connection with its last descriptor; a thread
// that waited for an answer would keep that from happening, and so wait forever. So it has
// a table of descriptors of its own, without that of the connection.

// detach gives the calling goroutine a thread with descriptors of its own, for good, and
// returns the thread's number. What the Go runtime itself needs is kept: a thread that
// collects garbage polls. Go starts no thread as a copy of one that is locked (runtime/proc.go,
// newm), so no other one has these descriptors.
func detach() (thread uint32, err error) {
	// The poller must be there before its descriptor is copied; a timer takes it
	// (runtime/time.go, addHeap).
	time.NewTimer(time.Hour).Stop()
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if unix.Gettid() == unix.Getpid() {
		return 0, errMainThread
	}
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return 0, os.NewSyscallError("unshare", err)
	}
	const list = "/proc/thread-self/fd"
	dir, err := unix.Open(list, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: list, Err: err}
	}
	defer unix.Close(dir)
	var names []string
	buffer := make([]byte, 32<<10)
	for {
		n, err := unix.ReadDirent(dir, buffer)
		if err != nil {
			return 0, os.NewSyscallError("getdents", err)
		}
		if n == 0 {
			break
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= 2 || fd == dir {
			continue
		}
		link := make([]byte, 64)
		n, err := unix.Readlinkat(dir, name, link)
		if err == nil && strings.HasPrefix(string(link[:n]), "anon_inode:[event") {
			continue
		}
		unix.Close(fd)
	}
	return uint32(unix.Gettid()), nil
}

// errMainThread says that it is the descriptors of this thread which /proc/self/fd shows.
var errMainThread = errors.New("the main thread keeps its descriptors")

// ownFiles opens files of the mount that this process serves, one at a time. It belongs to
// one thread, and its descriptors are numbers of that thread's table: an os.File would be
// closed in another one.
type ownFiles struct {
	mountpoint string
	device     uint64

	file *openFile
	fd   int
}

var errElsewhere = errors.New("the mountpoint leads elsewhere")

// open is a descriptor of a file, valid until the next call.
func (f *ownFiles) open(o *openFile) (int, error) {
	if f.file == o {
		return f.fd, nil
	}
	f.close()
	// An O_PATH descriptor does nothing where the path leads elsewhere by now.
	dir, err := unix.Open(f.mountpoint, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(dir)
	var st syscall.Stat_t
	if err := syscall.Fstat(dir, &st); err != nil {
		return 0, err
	}
	if st.Dev != f.device {
		return 0, errElsewhere
	}
	path := o.path()
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	f.file, f.fd = o, fd
	return fd, nil
}

func (f *ownFiles) close() {
	if f.file != nil {
		unix.Close(f.fd)
		f.file = nil
	}
}
