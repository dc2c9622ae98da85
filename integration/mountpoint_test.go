package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestTwoMounts mounts one source twice, once by links and relative paths: each mount
// has a daemon of its own, and ends by itself.
func TestTwoMounts(t *testing.T) {
	source, dir := small(t), t.TempDir()
	must(t, os.Symlink(source, filepath.Join(dir, "link.pt")))
	must(t, os.Mkdir(filepath.Join(dir, "two"), 0o755))
	must(t, os.Symlink("two", filepath.Join(dir, "link")))
	one := mountAt(t, source, filepath.Join(dir, "one"))
	two := filepath.Join(dir, "two")
	in := func(args ...string) {
		t.Helper()
		cmd := exec.Command(binary, args...)
		cmd.Dir = dir
		if r := execute(t, time.Minute, cmd); r.code != 0 {
			t.Fatalf("wfs %q: exit code %d\n%s", args, r.code, r.stderr)
		}
	}
	t.Cleanup(func() { unmount(t, two) })
	in("mount", "link.pt", "./link/../link/")
	if s := statusOf(t, two); s.PID == one.pid || s.Source != filepath.Join(dir, "link.pt") {
		t.Errorf("status of the second mount: %+v", s)
	}
	if !bytes.Equal(readFile(t, one.path, "model.safetensors"), readFile(t, two, "model.safetensors")) {
		t.Error("two mounts of one file differ")
	}
	in("umount", "link")
	if isMounted(two) || !isMounted(one.path) {
		t.Error("umount of the second mount ended another, or none")
	}
	readAll(t, one.path)
}

// TestViewOfView mounts what a mount shows, and tries to mount below a mount.
func TestViewOfView(t *testing.T) {
	below := mountAt(t, small(t), filepath.Join(t.TempDir(), "below"))
	view := filepath.Join(below.path, "model.safetensors")
	want := readFile(t, view)
	for _, source := range []string{view, below.path} {
		above := mount(t, source)
		if !bytes.Equal(readFile(t, above, "model.safetensors"), want) {
			t.Errorf("the view of %s has other bytes", source)
		}
		readAll(t, above)
		refused(t, []string{"umount", below.path}, below.path, "busy")
	}
	refused(t, []string{"mount", small(t), below.path}, below.path, "mounted there", "wfs umount")
	refused(t, []string{"mount", small(t), filepath.Join(below.path, "tensors")}, "tensors", "not empty")
	refused(t, []string{"mount", small(t), filepath.Join(below.path, "new")}, "new", "read-only")
	refused(t, []string{"mount", view, below.path}, below.path)
	refused(t, []string{"mount", view, filepath.Dir(below.path)}, filepath.Dir(below.path), "not empty")
}

// TestClosedDescriptors starts wfs without stdin, stdout and stderr: the daemon takes none
// of its files for them.
func TestClosedDescriptors(t *testing.T) {
	source, mountpoint := large(t), filepath.Join(t.TempDir(), "mnt")
	closed := func(args ...string) int {
		sh := append([]string{"-c", `exec "$0" "$@" <&- >&- 2>&-`, binary}, args...)
		return execute(t, time.Minute, exec.Command("sh", sh...)).code
	}
	t.Cleanup(func() { unmount(t, mountpoint) })
	if code := closed("mount", source, mountpoint); code != 0 {
		t.Fatalf("mount: exit code %d", code)
	}
	for _, pid := range daemons(mountpoint) {
		for fd := range 3 {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); target != os.DevNull {
				t.Errorf("descriptor %d of the daemon is %q, %v", fd, target, err)
			}
		}
	}
	readAll(t, mountpoint)
	if code := closed("mount", source, mountpoint); code != 1 {
		t.Errorf("mount over a mount: exit code %d, want 1", code)
	}
	if code := closed("umount", mountpoint); code != 0 || isMounted(mountpoint) {
		t.Errorf("umount: exit code %d", code)
	}
}

// TestInheritedDescriptors has the caller of wfs hold a lock: the daemon does not keep it.
func TestInheritedDescriptors(t *testing.T) {
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	lock := filepath.Join(t.TempDir(), "lock")
	t.Cleanup(func() { unmount(t, mountpoint) })
	const script = `exec 3> "$0" 9> "$0"; flock 9; "$@"; exec 3>&- 9>&-; flock --nonblock "$0" true`
	if r := execute(t, time.Minute, exec.Command("bash", "-ec", script, lock, binary, "mount", small(t), mountpoint)); r.code != 0 {
		t.Errorf("exit code %d: the lock is held\n%s", r.code, r.stderr)
	}
	if !isMounted(mountpoint) {
		t.Error("nothing is mounted")
	}
}

// TestMountRace mounts at one place many times at once: one mount comes of it.
func TestMountRace(t *testing.T) {
	source := small(t)
	for range 3 {
		mountpoint := filepath.Join(t.TempDir(), "made", "mnt")
		t.Cleanup(func() { unmount(t, mountpoint) })
		results := make([]result, 8)
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() {
				cmd := exec.Command(binary, "mount", source, mountpoint)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				cmd.Run()
				results[i] = result{stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
			})
		}
		group.Wait()
		succeeded := 0
		for _, r := range results {
			if r.code == 0 {
				succeeded++
				continue
			}
			checkOneLine(t, r, mountpoint)
		}
		if succeeded != 1 || len(daemons(mountpoint)) != 1 {
			t.Errorf("%d mounts succeeded and left %d daemons, want 1", succeeded, len(daemons(mountpoint)))
		}
		readAll(t, mountpoint)
	}
}

// TestHung stops a daemon: what asks for it comes back, and the mount can be detached.
func TestHung(t *testing.T) {
	source := small(t)
	m := mountAt(t, source, filepath.Join(t.TempDir(), "mnt"))
	stop(t, m.pid)
	defer syscall.Kill(m.pid, syscall.SIGCONT)
	if s := statusOf(t, m.path); !s.Alive || s.PID != 0 {
		t.Errorf("status of a hung mount: %+v", s)
	}
	refused(t, []string{"mount", source, m.path}, m.path, "mounted there")
	if r := wfs(t, "umount", "--lazy", m.path); r.code != 0 || isMounted(m.path) {
		t.Errorf("umount --lazy: exit code %d\n%s", r.code, r.stderr)
	}
	readAll(t, mountAt(t, source, m.path+"-2").path)
	must(t, syscall.Kill(m.pid, syscall.SIGCONT))
	if !m.gone() {
		t.Error("a daemon that goes on does not notice that its mount has ended")
	}
}
