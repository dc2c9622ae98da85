package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestReady checks that the root answers as soon as `wfs mount` returns, and what
// the kernel knows of the mount.
func TestReady(t *testing.T) {
	source := harness.Small(t)
	path := harness.Mount(t, source)
	if _, err := os.Stat(filepath.Join(path, "model.safetensors")); err != nil {
		t.Error(err)
	}
	fstype, device, _ := harness.MountInfo(path)
	if fstype != "fuse.wfs" || !strings.HasPrefix(device, "wfs:") || !strings.Contains(device, filepath.Base(source)) {
		t.Errorf("mounted as type %q from %q", fstype, device)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		t.Error(err)
	}
	const readOnly, noSuid, noDev = 1, 2, 4
	if st.Flags&(readOnly|noSuid|noDev) != readOnly|noSuid|noDev {
		t.Errorf("mount flags %#x: want read-only, nosuid and nodev", st.Flags)
	}
	if err := os.WriteFile(filepath.Join(path, "new"), nil, 0o644); err == nil {
		t.Error("a file could be written")
	}
	if r := harness.WFS(t, "status"); r.Code != 0 || !strings.Contains(r.Stdout, path) || !strings.Contains(r.Stdout, source) {
		t.Errorf("status does not show the mount: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// TestForeground stays in the foreground until SIGTERM.
func TestForeground(t *testing.T) {
	m := harness.MountForeground(t, harness.Small(t))
	harness.ReadAll(t, m.Path)
}

// TestMountpoint checks which mountpoints are refused, and that a missing one is made.
func TestMountpoint(t *testing.T) {
	source := harness.Small(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	full := filepath.Join(dir, "full")
	os.Mkdir(full, 0o755)
	for _, path := range []string{file, filepath.Join(full, "x")} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	harness.Refused(t, []string{"mount", source, full}, full, "empty")
	harness.Refused(t, []string{"mount", source, file}, file)
	if r := harness.WFS(t, "mount", source); r.Code != 2 {
		t.Errorf("mount without a mountpoint: exit code %d, want 2", r.Code)
	}
	harness.Refused(t, []string{"umount", dir}, dir)

	models := filepath.Join(dir, "models")
	os.Mkdir(models, 0o755)
	b, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(models, "pytorch_model.bin"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(models, "mnt")
	harness.Refused(t, []string{"mount", models, inside}, inside)
	if _, err := os.Stat(inside); err == nil {
		t.Error("a refused mountpoint was made")
	}
	harness.ReadAll(t, harness.MountAt(t, models, filepath.Join(dir, "made", "on the way")).Path)
}

// TestCycles mounts and unmounts many times, a thousand in a soak; unmount checks each
// time that nothing is left.
func TestCycles(t *testing.T) {
	mountpoint := harness.Mountpoint(t)
	cycles := 50
	if os.Getenv("SOAK") != "" {
		cycles = 1000
	}
	for i := range cycles {
		if r := harness.WFS(t, "mount", harness.Small(t), mountpoint); r.Code != 0 {
			t.Fatalf("cycle %d: exit code %d\n%s", i, r.Code, r.Stderr)
		}
		if _, err := os.Stat(filepath.Join(mountpoint, "model.safetensors")); err != nil {
			t.Errorf("cycle %d: %v", i, err)
		}
		harness.Unmount(t, mountpoint)
	}
}

// TestDescriptors opens and reads everything many times: the daemon keeps nothing open.
func TestDescriptors(t *testing.T) {
	m := harness.MountAt(t, harness.Small(t), harness.Mountpoint(t))
	harness.ReadAll(t, m.Path)
	before := harness.Descriptors(t, m.PID)
	for range 50 {
		harness.ReadAll(t, m.Path)
	}
	if !harness.Eventually(30*time.Second, func() bool { return harness.Descriptors(t, m.PID) <= before }) {
		t.Errorf("the daemon has %d descriptors, and had %d", harness.Descriptors(t, m.PID), before)
	}
}
