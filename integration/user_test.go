package integration

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const nobody = 65534

// asNobody is a command that runs as another user than root, or as the user that
// runs the tests where that is not root.
func asNobody(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() == 0 {
		args = ordinaryUser(args...)
	}
	return exec.Command(args[0], args[1:]...)
}

// ordinaryUser is the command with which root becomes that user.
func ordinaryUser(args ...string) []string {
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = nobody, nobody
	}
	return append([]string{"setpriv", "--reuid", strconv.Itoa(uid), "--regid", strconv.Itoa(gid), "--clear-groups", "--reset-env", "--"}, args...)
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
	if s := statusIn(t, execute(t, time.Minute, asNobody(t, binary, "status", "--json")), mountpoint); !s.Alive || s.PID == 0 || s.Bytes == 0 {
		t.Errorf("the user's status of it: %+v", s)
	}
	if s := statusOf(t, mountpoint); !s.Alive || s.PID == 0 || s.Source != source {
		t.Errorf("root's status of it: %+v", s)
	}
	if r := execute(t, time.Minute, asNobody(t, binary, "umount", mountpoint)); r.code != 0 {
		t.Errorf("umount: exit code %d\n%s", r.code, r.stderr)
	}

	for _, clean := range []string{"mount", "umount"} { // both clean up after a daemon that was killed
		if r := execute(t, time.Minute, asNobody(t, binary, "mount", source, mountpoint)); r.code != 0 {
			t.Fatalf("mount, to be cleaned up by %s: exit code %d\n%s", clean, r.code, r.stderr)
		}
		for _, pid := range daemons(mountpoint) {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		if !eventually(30*time.Second, func() bool { return len(daemons(mountpoint)) == 0 }) {
			t.Fatal("a killed daemon is there")
		}
	}
	if r := execute(t, time.Minute, asNobody(t, binary, "umount", mountpoint)); r.code != 0 || isMounted(mountpoint) {
		t.Errorf("umount after kill: exit code %d\n%s", r.code, r.stderr)
	}
}

// TestUserStatus shows an ordinary user the mounts of another: that they are there.
func TestUserStatus(t *testing.T) {
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	if r := execute(t, time.Minute, asRoot(binary, "mount", "--allow-other", small(t), mountpoint)); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	t.Cleanup(func() {
		execute(t, time.Minute, asRoot(binary, "umount", mountpoint))
		unmount(t, mountpoint)
	})
	if s := statusIn(t, execute(t, time.Minute, asNobody(t, binary, "status", "--json")), mountpoint); !s.Alive || s.PID != 0 {
		t.Errorf("status of another user's mount: %+v", s)
	}
	refusedTo(t, asNobody(t, binary, "umount", mountpoint), mountpoint)
	if !isMounted(mountpoint) {
		t.Error("another user unmounted it")
	}
}

// TestUserNames mounts sources and mountpoints with awkward names, which fusermount3 gets
// in a list of options, with and without an environment.
func TestUserNames(t *testing.T) {
	openDevice(t)
	dir := sampleDir(t, "names")
	must(t, os.Chmod(dir, 0o777))
	for _, name := range []string{"a b", "new\nline", "c,d=e", "модель", `back\slash`, "-dash", `q"uo'te`, "trail "} {
		source, mountpoint := filepath.Join(dir, name+".pt"), filepath.Join(dir, name)
		must(t, os.WriteFile(source, readFile(t, small(t)), 0o644))
		t.Cleanup(func() { unmount(t, mountpoint) })
		for _, env := range [][]string{{"env"}, {"env", "-i"}} {
			mountIt := asNobody(t, append(env, binary, "mount", "--", name+".pt", name)...)
			mountIt.Dir = dir // relative paths
			if r := execute(t, time.Minute, mountIt); r.code != 0 {
				t.Errorf("%s mount %q: exit code %d\n%s", env, name, r.code, r.stderr)
				continue
			}
			if _, device, _ := mountInfo(mountpoint); device != "wfs:"+source {
				t.Errorf("%q is mounted from %q", name, device)
			}
			umountIt := asNobody(t, append(env, binary, "umount", "--", name)...)
			umountIt.Dir = dir
			if r := execute(t, time.Minute, umountIt); r.code != 0 || isMounted(mountpoint) {
				t.Errorf("%s umount %q: exit code %d\n%s", env, name, r.code, r.stderr)
			}
		}
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
