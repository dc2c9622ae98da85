package integration

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestReady checks that the root answers as soon as `wfs mount` returns, and what
// the kernel knows of the mount.
func TestReady(t *testing.T) {
	source := small(t)
	path := mount(t, source)
	if _, err := os.Stat(filepath.Join(path, "model.safetensors")); err != nil {
		t.Error(err)
	}
	fstype, device, _ := mountInfo(path)
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
	if r := wfs(t, "status"); r.code != 0 || !strings.Contains(r.stdout, path) || !strings.Contains(r.stdout, source) {
		t.Errorf("status does not show the mount: %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestForeground stays in the foreground until SIGTERM.
func TestForeground(t *testing.T) {
	m := mountForeground(t, small(t))
	readAll(t, m.path)
}

// TestMountpoint checks which mountpoints are refused, and that a missing one is made.
func TestMountpoint(t *testing.T) {
	source := small(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	full := filepath.Join(dir, "full")
	os.Mkdir(full, 0o755)
	for _, path := range []string{file, filepath.Join(full, "x")} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, []string{"mount", source, full}, full, "empty")
	refused(t, []string{"mount", source, file}, file)
	if r := wfs(t, "mount", source); r.code != 2 {
		t.Errorf("mount without a mountpoint: exit code %d, want 2", r.code)
	}
	refused(t, []string{"umount", dir}, dir)

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
	refused(t, []string{"mount", models, inside}, inside)
	if _, err := os.Stat(inside); err == nil {
		t.Error("a refused mountpoint was made")
	}
	readAll(t, mountAt(t, models, filepath.Join(dir, "made", "on the way")).path)
}

// TestKilled kills the daemon with readers on it: they get an error, none hangs,
// and both umount and mount clean up.
func TestKilled(t *testing.T) {
	source := large(t)
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	for _, clean := range []string{"umount", "mount"} {
		m := mountAt(t, source, mountpoint)
		readers := startReaders(m.path, 8)
		syscall.Kill(m.pid, syscall.SIGKILL)
		readers.wait(t)
		if _, err := os.Stat(mountpoint); err == nil {
			t.Error("the mountpoint answers without its daemon")
		}
		if clean == "umount" {
			if r := wfs(t, "umount", mountpoint); r.code != 0 || isMounted(mountpoint) {
				t.Errorf("umount after kill: exit code %d\n%s", r.code, r.stderr)
			}
		}
	}
	readAll(t, mountAt(t, source, mountpoint).path)
}

// TestBusy ends the daemon, and unmounts, while readers are at work.
func TestBusy(t *testing.T) {
	source := large(t)
	m := mountAt(t, source, filepath.Join(t.TempDir(), "mnt"))
	readers := startReaders(m.path, 100)
	r := wfs(t, "umount", m.path)
	switch mounted := isMounted(m.path); {
	case r.code == 0 && mounted:
		t.Error("umount says that it did, and the mount is there")
	case r.code != 0:
		checkOneLine(t, r, m.path)
		if !mounted {
			t.Error("umount says that it could not, and the mount is gone")
		}
		syscall.Kill(m.pid, syscall.SIGTERM)
	}
	if !eventually(30*time.Second, func() bool { return !isMounted(m.path) }) {
		t.Error("still mounted after SIGTERM")
	}
	close(readers.stop)
	readers.wait(t)
}

// TestCycles mounts and unmounts many times, a thousand in a soak; unmount checks each
// time that nothing is left.
func TestCycles(t *testing.T) {
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	cycles := 50
	if os.Getenv("SOAK") != "" {
		cycles = 1000
	}
	for i := range cycles {
		if r := wfs(t, "mount", small(t), mountpoint); r.code != 0 {
			t.Fatalf("cycle %d: exit code %d\n%s", i, r.code, r.stderr)
		}
		if _, err := os.Stat(filepath.Join(mountpoint, "model.safetensors")); err != nil {
			t.Errorf("cycle %d: %v", i, err)
		}
		unmount(t, mountpoint)
	}
}

// TestDescriptors opens and reads everything many times: the daemon keeps nothing open.
func TestDescriptors(t *testing.T) {
	m := mountAt(t, small(t), filepath.Join(t.TempDir(), "mnt"))
	readAll(t, m.path)
	before := descriptors(t, m.pid)
	for range 50 {
		readAll(t, m.path)
	}
	if !eventually(30*time.Second, func() bool { return descriptors(t, m.pid) <= before }) {
		t.Errorf("the daemon has %d descriptors, and had %d", descriptors(t, m.pid), before)
	}
}

// readers read the view again and again until they fail or are stopped.
type readers struct {
	group sync.WaitGroup
	stop  chan struct{}
}

func startReaders(mount string, count int) *readers {
	r := &readers{stop: make(chan struct{})}
	started := make(chan struct{}, count)
	for i := range count {
		r.group.Go(func() {
			file, err := os.Open(filepath.Join(mount, "model.safetensors"))
			started <- struct{}{}
			if err != nil {
				return
			}
			defer file.Close()
			buf := make([]byte, 1<<16)
			for at := int64(i); ; at = (at*31 + 4096) % (60 << 20) {
				select {
				case <-r.stop:
					return
				default:
				}
				if _, err := file.ReadAt(buf, at); err != nil && err != io.EOF {
					return
				}
				if i%2 == 0 {
					dropCache(file)
				}
			}
		})
	}
	for range count {
		<-started
	}
	return r
}

func (r *readers) wait(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	go func() { r.group.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("readers hang")
	}
}

// dropCache drops the pages that the kernel keeps of a file.
func dropCache(file *os.File) {
	const dontNeed = 4
	syscall.Syscall6(syscall.SYS_FADVISE64, file.Fd(), 0, 0, dontNeed, 0, 0)
}

// readFile reads a file of a mount or fails the test.
func readFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(fmt.Errorf("reading: %w", err))
	}
	return b
}
