package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestUser mounts as an ordinary user, through fusermount3.
func TestUser(t *testing.T) {
	harness.OpenDevice(t)
	dir := harness.Dir(t, "user")
	harness.Must(t, os.Chmod(dir, 0o777))
	source := filepath.Join(dir, "model.pt")
	harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Small(t)), 0o644))
	mountpoint := filepath.Join(dir, "mnt")
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })

	r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "mount", source, mountpoint))
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	if fstype, _, _ := harness.MountInfo(mountpoint); fstype != "fuse.wfs" {
		t.Errorf("mounted as %q", fstype)
	}
	if r := harness.Run(t, time.Minute, harness.AsNobody(t, "cat", mountpoint+"/model.safetensors")); r.Code != 0 || len(r.Stdout) < 4096 {
		t.Errorf("cat: exit code %d, %d bytes\n%s", r.Code, len(r.Stdout), r.Stderr)
	}
	if os.Getuid() == 0 {
		if _, err := os.ReadDir(mountpoint); err == nil {
			t.Error("root reads another user's mount without --allow-other")
		}
	}
	if s := harness.StatusIn(t, harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "status", "--json")), mountpoint); !s.Alive || s.PID == 0 || s.Bytes == 0 {
		t.Errorf("the user's status of it: %+v", s)
	}
	if s := harness.StatusOf(t, mountpoint); !s.Alive || s.PID == 0 || s.Source != source {
		t.Errorf("root's status of it: %+v", s)
	}
	if r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "umount", mountpoint)); r.Code != 0 {
		t.Errorf("umount: exit code %d\n%s", r.Code, r.Stderr)
	}

	for _, clean := range []string{"mount", "umount"} { // both clean up after a daemon that was killed
		if r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "mount", source, mountpoint)); r.Code != 0 {
			t.Fatalf("mount, to be cleaned up by %s: exit code %d\n%s", clean, r.Code, r.Stderr)
		}
		for _, pid := range harness.Daemons(mountpoint) {
			harness.Must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		if !harness.Eventually(30*time.Second, func() bool { return len(harness.Daemons(mountpoint)) == 0 }) {
			t.Fatal("a killed daemon is there")
		}
	}
	if r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "umount", mountpoint)); r.Code != 0 || harness.IsMounted(mountpoint) {
		t.Errorf("umount after kill: exit code %d\n%s", r.Code, r.Stderr)
	}
}

// TestUserNames mounts sources and mountpoints with awkward names, which fusermount3 gets
// in a list of options, with and without an environment.
func TestUserNames(t *testing.T) {
	harness.OpenDevice(t)
	dir := harness.Dir(t, "names")
	harness.Must(t, os.Chmod(dir, 0o777))
	for _, name := range []string{"a b", "new\nline", "c,d=e", "модель", `back\slash`, "-dash", `q"uo'te`, "trail "} {
		source, mountpoint := filepath.Join(dir, name+".pt"), filepath.Join(dir, name)
		harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Small(t)), 0o644))
		t.Cleanup(func() { harness.Unmount(t, mountpoint) })
		for _, env := range [][]string{{"env"}, {"env", "-i"}} {
			mountIt := harness.AsNobody(t, append(env, harness.Binary(), "mount", "--", name+".pt", name)...)
			mountIt.Dir = dir // relative paths
			if r := harness.Run(t, time.Minute, mountIt); r.Code != 0 {
				t.Errorf("%s mount %q: exit code %d\n%s", env, name, r.Code, r.Stderr)
				continue
			}
			if _, device, _ := harness.MountInfo(mountpoint); device != "wfs:"+source {
				t.Errorf("%q is mounted from %q", name, device)
			}
			umountIt := harness.AsNobody(t, append(env, harness.Binary(), "umount", "--", name)...)
			umountIt.Dir = dir
			if r := harness.Run(t, time.Minute, umountIt); r.Code != 0 || harness.IsMounted(mountpoint) {
				t.Errorf("%s umount %q: exit code %d\n%s", env, name, r.Code, r.Stderr)
			}
		}
	}
}

// TestUserWithoutFusermount says what is missing.
func TestUserWithoutFusermount(t *testing.T) {
	harness.OpenDevice(t)
	dir := harness.Dir(t, "nofuse")
	harness.Must(t, os.Chmod(dir, 0o777))
	source := filepath.Join(dir, "model.pt")
	harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Small(t)), 0o644))
	mountpoint := filepath.Join(dir, "mnt")
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })
	cmd := harness.AsNobody(t, "env", "PATH=/nonexistent", harness.Binary(), "mount", source, mountpoint)
	r := harness.Run(t, time.Minute, cmd)
	if r.Code != 1 {
		t.Errorf("exit code %d, want 1", r.Code)
	}
	harness.CheckOneLine(t, r, "fusermount3")
}

// TestUserStatus shows an ordinary user the mounts of another: that they are there.
func TestUserStatus(t *testing.T) {
	mountpoint := harness.Mountpoint(t)
	if r := harness.Run(t, time.Minute, harness.AsRoot(harness.Binary(), "mount", "--allow-other", harness.Small(t), mountpoint)); r.Code != 0 {
		t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
	}
	t.Cleanup(func() {
		harness.Run(t, time.Minute, harness.AsRoot(harness.Binary(), "umount", mountpoint))
		harness.Unmount(t, mountpoint)
	})
	if s := harness.StatusIn(t, harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "status", "--json")), mountpoint); !s.Alive || s.PID != 0 {
		t.Errorf("status of another user's mount: %+v", s)
	}
	harness.RefusedCommand(t, harness.AsNobody(t, harness.Binary(), "umount", mountpoint), mountpoint)
	if !harness.IsMounted(mountpoint) {
		t.Error("another user unmounted it")
	}
}

// TestUserPrefetch has an ordinary user read a view in order: it is prefetched, and the
// mount can be taken down as soon as the reader has ended.
func TestUserPrefetch(t *testing.T) {
	harness.OpenDevice(t)
	dir := harness.Dir(t, "prefetch")
	harness.Must(t, os.Chmod(dir, 0o777))
	source, mountpoint := filepath.Join(dir, "model.pt"), filepath.Join(dir, "mnt")
	harness.Must(t, os.WriteFile(source, harness.ReadFile(t, harness.Large(t)), 0o644))
	want := harness.ReadFile(t, filepath.Join(harness.Mount(t, source), "model.safetensors"))
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })
	for range 3 {
		if r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "mount", source, mountpoint)); r.Code != 0 {
			t.Fatalf("exit code %d\n%s", r.Code, r.Stderr)
		}
		read := harness.AsNobody(t, "cat", filepath.Join(mountpoint, "model.safetensors"))
		got, err := read.Output()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("cat: %d bytes, %v", len(got), err)
		}
		if s := harness.StatusOf(t, mountpoint); s.Prefetched == 0 {
			t.Error("nothing is prefetched")
		}
		if r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "umount", mountpoint)); r.Code != 0 {
			t.Errorf("umount: exit code %d\n%s", r.Code, r.Stderr)
		}
	}
}
