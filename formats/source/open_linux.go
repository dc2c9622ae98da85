package source

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFile opens a file to read. O_NONBLOCK keeps a FIFO from blocking the open.
func openFile(path string) (*os.File, error) {
	fd, err := again(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return ownFile(fd, path)
}

// ownFile makes a descriptor a file that the runtime does not poll. O_NONBLOCK means
// nothing for a regular file, but os.NewFile takes it as a wish to wait with epoll: on a
// FUSE file system that asks its daemon, and a Close would wait for reads that hang.
func ownFile(fd int, path string) (*os.File, error) {
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// again repeats a system call that a signal, or a rename elsewhere, interrupted.
func again(call func() (int, error)) (fd int, err error) {
	for range 100 {
		if fd, err = call(); err != unix.EINTR && err != unix.EAGAIN {
			break
		}
	}
	return fd, err
}
