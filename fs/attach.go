package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A mountpoint is looked at, locked and mounted on by one descriptor: between that, its
// path can come to lead elsewhere.

// descriptorPath is a path to an open directory that follows no links of the file system.
func descriptorPath(dir *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", dir.Fd()) }

// pathOf is where an open directory lies by now, or else the path by which it was opened.
func pathOf(dir *os.File, path string) string {
	if now, err := os.Readlink(descriptorPath(dir)); err == nil {
		return now
	}
	return path
}

// newServer mounts on the directory dir.
func newServer(fs *fileSystem, dir *os.File, root bool, opt *fuse.MountOptions) (*fuse.Server, error) {
	if root {
		return fuse.NewServer(fs, descriptorPath(dir), opt)
	}
	device, err := fusermountOn(dir, opt)
	if err != nil {
		return nil, err
	}
	// The name has go-fuse take what is mounted already.
	return fuse.NewServer(fs, fmt.Sprintf("/dev/fd/%d", device), opt)
}

// await returns when the mount answers. It polls a file that go-fuse has in every mount:
// the answer turns polling off, and a process that opens files of its own mount does not
// wait for itself (go-fuse, fuse/poll.go; its WaitMount goes by the path that it mounted on).
func await(mountpoint string) error {
	fd, err := unix.Open(filepath.Join(mountpoint, ".go-fuse-epoll-hack"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EACCES): // a root that --uid and --umask close to ourselves has answered too
		return nil
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s leads elsewhere since it was opened: %w", mountpoint, err)
	case err != nil:
		return err
	}
	defer unix.Close(fd)
	unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLPRI | unix.POLLOUT}}, 0)
	return nil
}
