package fs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// busyFor is how long a mount is given to be no longer busy: the prefetch has a file open for
// some milliseconds after the last reader has closed it.
const busyFor = 250 * time.Millisecond

// Unmount ends any FUSE mount at mountpoint, also one whose daemon is gone.
func Unmount(mountpoint string, lazy bool) error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := unmount(mountpoint, lazy)
		if !errors.Is(err, syscall.EBUSY) || time.Since(began) > busyFor {
			return err
		}
	}
}

func unmount(mountpoint string, lazy bool) error {
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
