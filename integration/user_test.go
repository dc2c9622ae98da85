package integration

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const nobody = 65534

// asNobody is a command that runs as another user than root, or as the user that
// runs the tests where that is not root.
func asNobody(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		return exec.Command(args[0], args[1:]...)
	}
	id := strconv.Itoa(nobody)
	setpriv := []string{"--reuid", id, "--regid", id, "--clear-groups", "--reset-env", "--"}
	return exec.Command("setpriv", append(setpriv, args...)...)
}

// openDevice lets every user open /dev/fuse, as udev does where it runs: in a
// container the device belongs to root alone, and fusermount3 opens it as its caller.
func openDevice(t testing.TB) {
	t.Helper()
	const device = "/dev/fuse"
	info, err := os.Stat(device)
	must(t, err)
	if info.Mode().Perm()&0o006 == 0o006 || os.Getuid() != 0 {
		return
	}
	must(t, os.Chmod(device, 0o666))
	t.Cleanup(func() { os.Chmod(device, info.Mode()&(fs.ModePerm|fs.ModeSticky)) })
}

// TestUser mounts as an ordinary user, through fusermount3.
func TestUser(t *testing.T) {
	openDevice(t)
	dir := sampleDir(t, "user")
	must(t, os.Chmod(dir, 0o777))
	source := filepath.Join(dir, "model.pt")
	must(t, os.WriteFile(source, readFile(t, small(t)), 0o644))
	mountpoint := filepath.Join(dir, "mnt")
	t.Cleanup(func() { unmount(t, mountpoint) })

	r := execute(t, time.Minute, asNobody(t, binary, "mount", source, mountpoint))
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	if fstype, _, _ := mountInfo(mountpoint); fstype != "fuse.wfs" {
		t.Errorf("mounted as %q", fstype)
	}
	if r := execute(t, time.Minute, asNobody(t, "cat", mountpoint+"/model.safetensors")); r.code != 0 || len(r.stdout) < 4096 {
		t.Errorf("cat: exit code %d, %d bytes\n%s", r.code, len(r.stdout), r.stderr)
	}
	if os.Getuid() == 0 {
		if _, err := os.ReadDir(mountpoint); err == nil {
			t.Error("root reads another user's mount without --allow-other")
		}
	}
	if r := execute(t, time.Minute, asNobody(t, binary, "umount", mountpoint)); r.code != 0 {
		t.Errorf("umount: exit code %d\n%s", r.code, r.stderr)
	}
}

// TestUserWithoutFusermount says what is missing.
func TestUserWithoutFusermount(t *testing.T) {
	openDevice(t)
	dir := sampleDir(t, "nofuse")
	must(t, os.Chmod(dir, 0o777))
	source := filepath.Join(dir, "model.pt")
	must(t, os.WriteFile(source, readFile(t, small(t)), 0o644))
	mountpoint := filepath.Join(dir, "mnt")
	t.Cleanup(func() { unmount(t, mountpoint) })
	cmd := asNobody(t, "env", "PATH=/nonexistent", binary, "mount", source, mountpoint)
	r := execute(t, time.Minute, cmd)
	if r.code != 1 {
		t.Errorf("exit code %d, want 1", r.code)
	}
	checkOneLine(t, r, "fusermount3")
}
