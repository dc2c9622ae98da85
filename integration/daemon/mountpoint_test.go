package daemon

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

	"wfs/integration/harness"
)

// TestTwoMounts mounts one source twice, once by links and relative paths: each mount
// has a daemon of its own, and ends by itself.
func TestTwoMounts(t *testing.T) {
	source, dir := harness.Small(t), t.TempDir()
	harness.Must(t, os.Symlink(source, filepath.Join(dir, "link.pt")))
	harness.Must(t, os.Mkdir(filepath.Join(dir, "two"), 0o755))
	harness.Must(t, os.Symlink("two", filepath.Join(dir, "link")))
	one := harness.MountAt(t, source, filepath.Join(dir, "one"))
	two := filepath.Join(dir, "two")
	in := func(args ...string) {
		t.Helper()
		cmd := harness.Command(args...)
		cmd.Dir = dir
		if r := harness.Run(t, time.Minute, cmd); r.Code != 0 {
			t.Fatalf("wfs %q: exit code %d\n%s", args, r.Code, r.Stderr)
		}
	}
	t.Cleanup(func() { harness.Unmount(t, two) })
	in("mount", "link.pt", "./link/../link/")
	if s := harness.StatusOf(t, two); s.PID == one.PID || s.Source != filepath.Join(dir, "link.pt") {
		t.Errorf("status of the second mount: %+v", s)
	}
	if !bytes.Equal(harness.ReadFile(t, one.Path, "model.safetensors"), harness.ReadFile(t, two, "model.safetensors")) {
		t.Error("two mounts of one file differ")
	}
	in("umount", "link")
	if harness.IsMounted(two) || !harness.IsMounted(one.Path) {
		t.Error("umount of the second mount ended another, or none")
	}
	harness.ReadAll(t, one.Path)
}

// TestClosedDescriptors starts wfs without stdin, stdout and stderr: the daemon takes none
// of its files for them.
func TestClosedDescriptors(t *testing.T) {
	source, mountpoint := harness.Large(t), harness.Mountpoint(t)
	closed := func(args ...string) int {
		sh := append([]string{"-c", `exec "$0" "$@" <&- >&- 2>&-`, harness.Binary()}, args...)
		return harness.Run(t, time.Minute, exec.Command("sh", sh...)).Code
	}
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })
	if code := closed("mount", source, mountpoint); code != 0 {
		t.Fatalf("mount: exit code %d", code)
	}
	for _, pid := range harness.Daemons(mountpoint) {
		for fd := range 3 {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); target != os.DevNull {
				t.Errorf("descriptor %d of the daemon is %q, %v", fd, target, err)
			}
		}
	}
	harness.ReadAll(t, mountpoint)
	if code := closed("mount", source, mountpoint); code != 1 {
		t.Errorf("mount over a mount: exit code %d, want 1", code)
	}
	if code := closed("umount", mountpoint); code != 0 || harness.IsMounted(mountpoint) {
		t.Errorf("umount: exit code %d", code)
	}
}

// TestInheritedDescriptors has the caller of wfs hold a lock: the daemon does not keep it.
func TestInheritedDescriptors(t *testing.T) {
	mountpoint := harness.Mountpoint(t)
	lock := filepath.Join(t.TempDir(), "lock")
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })
	const script = `exec 3> "$0" 9> "$0"; flock 9; "$@"; exec 3>&- 9>&-; flock --nonblock "$0" true`
	if r := harness.Run(t, time.Minute, exec.Command("bash", "-ec", script, lock, harness.Binary(), "mount", harness.Small(t), mountpoint)); r.Code != 0 {
		t.Errorf("exit code %d: the lock is held\n%s", r.Code, r.Stderr)
	}
	if !harness.IsMounted(mountpoint) {
		t.Error("nothing is mounted")
	}
}

// TestMountRace mounts at one place many times at once: one mount comes of it.
func TestMountRace(t *testing.T) {
	source := harness.Small(t)
	for range 3 {
		mountpoint := filepath.Join(t.TempDir(), "made", "mnt")
		t.Cleanup(func() { harness.Unmount(t, mountpoint) })
		results := make([]harness.Result, 8)
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() {
				cmd := harness.Command("mount", source, mountpoint)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				cmd.Run()
				results[i] = harness.Result{Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
			})
		}
		group.Wait()
		succeeded := 0
		for _, r := range results {
			if r.Code == 0 {
				succeeded++
				continue
			}
			harness.CheckOneLine(t, r, mountpoint)
		}
		if succeeded != 1 || len(harness.Daemons(mountpoint)) != 1 {
			t.Errorf("%d mounts succeeded and left %d daemons, want 1", succeeded, len(harness.Daemons(mountpoint)))
		}
		harness.ReadAll(t, mountpoint)
	}
}

// TestHung stops a daemon: what asks for it comes back, and the mount can be detached.
func TestHung(t *testing.T) {
	source := harness.Small(t)
	m := harness.MountAt(t, source, harness.Mountpoint(t))
	harness.Stop(t, m.PID)
	defer syscall.Kill(m.PID, syscall.SIGCONT)
	if s := harness.StatusOf(t, m.Path); !s.Alive || s.PID != 0 {
		t.Errorf("status of a hung mount: %+v", s)
	}
	harness.Refused(t, []string{"mount", source, m.Path}, m.Path, "mounted there")
	if r := harness.WFS(t, "umount", "--lazy", m.Path); r.Code != 0 || harness.IsMounted(m.Path) {
		t.Errorf("umount --lazy: exit code %d\n%s", r.Code, r.Stderr)
	}
	harness.ReadAll(t, harness.MountAt(t, source, m.Path+"-2").Path)
	harness.Must(t, syscall.Kill(m.PID, syscall.SIGCONT))
	if !harness.Gone(m.Path) {
		t.Error("a daemon that goes on does not notice that its mount has ended")
	}
}
