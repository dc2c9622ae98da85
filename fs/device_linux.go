package fs

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// mounting is held while a mount is made, so that its descriptor can be told.
var mounting sync.Mutex

// devices are the descriptors of /dev/fuse that this process has.
func devices() map[int]bool {
	found := map[int]bool{}
	names, _ := filepath.Glob("/proc/self/fd/*")
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil && target == "/dev/fuse" {
			if fd, err := strconv.Atoi(filepath.Base(name)); err == nil {
				found[fd] = true
			}
		}
	}
	return found
}

// newDevice duplicates the one that is new since before: go-fuse keeps its own to
// itself. It returns -1 where it cannot be told.
func newDevice(before map[int]bool) int {
	device := -1
	for fd := range devices() {
		if !before[fd] {
			if device >= 0 {
				unix.Close(device)
				return -1
			}
			if fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
				device = fd
			}
		}
	}
	return device
}

// disconnected says whether the mount of a device has ended (fs/fuse/dev.c,
// fuse_dev_poll).
func disconnected(device int) bool {
	fds := []unix.PollFd{{Fd: int32(device)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0
}

// refuse answers a request with an error.
func refuse(device int, unique uint64, status fuse.Status) error {
	b := binary.NativeEndian.AppendUint32(nil, 16) // struct fuse_out_header
	b = binary.NativeEndian.AppendUint32(b, uint32(-int32(status)))
	b = binary.NativeEndian.AppendUint64(b, unique)
	_, err := unix.Write(device, b)
	return err
}
