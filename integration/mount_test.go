package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mounted is a mount made by the binary and the process that serves it.
type mounted struct {
	path string
	pid  int
}

// mount mounts source with `wfs mount` in a new directory and returns that. The
// test's end unmounts it with `wfs umount` and checks that nothing is left.
func mount(t testing.TB, source string, flags ...string) string {
	t.Helper()
	return mountAt(t, source, filepath.Join(t.TempDir(), "mnt"), flags...).path
}

// mountAt is mount with a mountpoint of one's own.
func mountAt(t testing.TB, source, mountpoint string, flags ...string) mounted {
	t.Helper()
	args := append(append([]string{"mount"}, flags...), source, mountpoint)
	r := wfs(t, args...)
	// Registered first: a mount that fails half way is taken down too.
	t.Cleanup(func() { unmount(t, mountpoint) })
	if r.code != 0 {
		t.Fatalf("wfs %q: exit code %d\n%s", args, r.code, r.stderr)
	}
	pids := daemons(mountpoint)
	if len(pids) != 1 {
		t.Fatalf("wfs %q left %d daemons, want 1", args, len(pids))
	}
	return mounted{mountpoint, pids[0]}
}

// mountForeground mounts with -f; the test's end sends SIGTERM and checks that the
// command unmounts and exits with 0.
func mountForeground(t testing.TB, source string, flags ...string) mounted {
	t.Helper()
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	args := append(append([]string{"mount", "-f"}, flags...), source, mountpoint)
	cmd := exec.Command(binary, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
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
		unmount(t, mountpoint)
	})
	for !isReady(t, mountpoint) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("wfs %q: %v\n%s", args, err, stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return mounted{mountpoint, cmd.Process.Pid}
}

// unmount takes the mount down if it is there, waits for its daemon and fails the
// test if any of that does not happen.
func unmount(t testing.TB, mountpoint string) {
	t.Helper()
	if isMounted(mountpoint) {
		if r := wfs(t, "umount", mountpoint); r.code != 0 {
			t.Errorf("wfs umount %s: exit code %d\n%s", mountpoint, r.code, r.stderr)
		}
	}
	if !eventually(30*time.Second, func() bool { return !isMounted(mountpoint) && len(daemons(mountpoint)) == 0 }) {
		t.Errorf("left after unmounting: mounted %v, daemons %v", isMounted(mountpoint), daemons(mountpoint))
		for _, pid := range daemons(mountpoint) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		for isMounted(mountpoint) && syscall.Unmount(mountpoint, syscall.MNT_DETACH) == nil {
		}
	}
}

// isReady says whether a mount that was started with -f has a daemon that serves. Until
// then the daemon itself opens files in the mount, to see whether it answers, and the
// mount can be busy.
func isReady(t testing.TB, mountpoint string) bool {
	t.Helper()
	return isMounted(mountpoint) && statusOf(t, mountpoint).PID != 0
}

// isMounted says whether something is mounted exactly there. It reads the kernel's
// list and never touches the mountpoint, which may be dead.
func isMounted(mountpoint string) bool {
	_, _, ok := mountInfo(mountpoint)
	return ok
}

// mountInfo is the file system's type and device string of a mountpoint.
func mountInfo(mountpoint string) (fstype, device string, ok bool) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", "", false
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for _, line := range strings.Split(string(b), "\n") {
		before, after, found := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if found && len(fields) > 4 && len(rest) > 1 && unescape.Replace(fields[4]) == mountpoint {
			return rest[0], unescape.Replace(rest[1]), true
		}
	}
	return "", "", false
}

// eventually waits for a condition to hold.
func eventually(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
