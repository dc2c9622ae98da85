package fs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Unmount ends any FUSE mount at mountpoint, also one whose daemon is gone.
func Unmount(mountpoint string, lazy bool) error {
	if os.Geteuid() == 0 {
		flags := unix.UMOUNT_NOFOLLOW
		if lazy {
			flags |= unix.MNT_DETACH
		}
		return unix.Unmount(mountpoint, flags)
	}
	args := []string{"-u", mountpoint}
	if lazy {
		args = []string{"-u", "-z", mountpoint}
	}
	out, err := exec.Command(fusermount, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	if strings.Contains(strings.ToLower(text), "busy") {
		return syscall.EBUSY
	}
	if text == "" {
		text = err.Error()
	}
	return errors.New(text)
}
