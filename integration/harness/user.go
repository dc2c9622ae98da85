package harness

import (
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const nobody = 65534

// AsNobody is a command that runs as another user than root, or as the user that runs
// the tests where that is not root.
func AsNobody(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() == 0 {
		args = OrdinaryUser(args...)
	}
	return exec.Command(args[0], args[1:]...)
}

// AsRoot is a command that runs as root, by sudo where the tests do not.
func AsRoot(args ...string) *exec.Cmd {
	if os.Getuid() != 0 {
		args = append([]string{"sudo", "-n", "--"}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

// OrdinaryUser is the command with which root becomes the user of [AsNobody].
func OrdinaryUser(args ...string) []string {
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = nobody, nobody
	}
	return append([]string{"setpriv", "--reuid", strconv.Itoa(uid), "--regid", strconv.Itoa(gid), "--clear-groups", "--reset-env", "--"}, args...)
}

// OpenDevice lets every user open /dev/fuse for the time of a test, as udev does where it
// runs: in a container the device belongs to root alone, and fusermount3 opens it as its
// caller. Packages that do so at the same time wait for each other.
func OpenDevice(t testing.TB) {
	t.Helper()
	const device = "/dev/fuse"
	if os.Getuid() != 0 {
		return
	}
	file, err := os.Open(device)
	Must(t, err)
	t.Cleanup(func() { file.Close() }) // which ends the lock
	if !Eventually(10*time.Minute, func() bool { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil }) {
		t.Fatalf("another test holds the lock of %s", device)
	}
	info, err := os.Stat(device)
	Must(t, err)
	if info.Mode().Perm()&0o006 == 0o006 {
		return
	}
	Must(t, os.Chmod(device, 0o666))
	closeDevice := func() { os.Chmod(device, info.Mode()&(fs.ModePerm|fs.ModeSticky)) }
	done := onInterrupt(closeDevice)
	t.Cleanup(func() { closeDevice(); done() })
}
