package harness

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Mounted is a mount made by the binary and the process that serves it.
type Mounted struct {
	Path string
	PID  int
}

// Mountpoint is a path in a new directory, where nothing is.
func Mountpoint(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "mnt")
}

// Mount mounts source with `wfs mount` in a new directory and returns that. When the test
// ends, the mount is taken down with `wfs umount`, and nothing may be left of it.
func Mount(t testing.TB, source string, flags ...string) string {
	t.Helper()
	return MountAt(t, source, Mountpoint(t), flags...).Path
}

// MountAt is [Mount] with a mountpoint of one's own.
func MountAt(t testing.TB, source, mountpoint string, flags ...string) Mounted {
	t.Helper()
	args := append(append([]string{"mount"}, flags...), source, mountpoint)
	r := WFS(t, args...)
	// Registered first: a mount that fails half way is taken down too.
	t.Cleanup(func() { Unmount(t, mountpoint) })
	if r.Code != 0 {
		t.Fatalf("wfs %q: exit code %d\n%s", args, r.Code, r.Stderr)
	}
	pids := Daemons(mountpoint)
	if len(pids) != 1 {
		t.Fatalf("wfs %q left %d daemons, want 1", args, len(pids))
	}
	return Mounted{mountpoint, pids[0]}
}

// MountForeground mounts with -f. When the test ends, the command gets SIGTERM; it must
// unmount and exit with 0.
func MountForeground(t testing.TB, source string, flags ...string) Mounted {
	t.Helper()
	mountpoint := Mountpoint(t)
	args := append(append([]string{"mount", "-f"}, flags...), source, mountpoint)
	cmd := Command(args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	Must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("wfs %q: %v\n%s", args, err, stderr.String())
			}
		case <-time.After(30 * time.Second):
			t.Errorf("wfs %q: still there 30 s after SIGTERM", args)
			cmd.Process.Kill()
			<-ended
		}
		Unmount(t, mountpoint)
	})
	for !IsReady(t, mountpoint) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("wfs %q: %v\n%s", args, err, stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return Mounted{mountpoint, cmd.Process.Pid}
}

// Unmount takes the mount down if it is there, waits for its daemon, and fails the test
// if any of that does not happen.
func Unmount(t testing.TB, mountpoint string) {
	t.Helper()
	if IsMounted(mountpoint) {
		if r := WFS(t, "umount", mountpoint); r.Code != 0 {
			t.Errorf("wfs umount %s: exit code %d\n%s", mountpoint, r.Code, r.Stderr)
		}
	}
	if !Gone(mountpoint) {
		t.Errorf("left after unmounting: mounted %v, daemons %v", IsMounted(mountpoint), Daemons(mountpoint))
		for _, pid := range Daemons(mountpoint) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		for IsMounted(mountpoint) && syscall.Unmount(mountpoint, syscall.MNT_DETACH) == nil {
		}
	}
}

// Gone waits for a mount and its daemon to end, and reports whether they did.
func Gone(mountpoint string) bool {
	return Eventually(30*time.Second, func() bool { return !IsMounted(mountpoint) && len(Daemons(mountpoint)) == 0 })
}

// IsReady reports whether a mount that was started with -f has a daemon that serves.
// Until then the daemon itself opens files in the mount, to see whether it answers, and
// the mount can be busy.
func IsReady(t testing.TB, mountpoint string) bool {
	t.Helper()
	return IsMounted(mountpoint) && StatusOf(t, mountpoint).PID != 0
}
