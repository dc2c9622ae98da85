package faults

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestKilled kills the daemon with readers on it: they get an error, none hangs,
// and both umount and mount clean up.
func TestKilled(t *testing.T) {
	source := harness.Large(t)
	mountpoint := harness.Mountpoint(t)
	for _, clean := range []string{"umount", "mount"} {
		m := harness.MountAt(t, source, mountpoint)
		readers := startReaders(m.Path, 8)
		syscall.Kill(m.PID, syscall.SIGKILL)
		readers.wait(t)
		if _, err := os.Stat(mountpoint); err == nil {
			t.Error("the mountpoint answers without its daemon")
		}
		if clean == "umount" {
			if r := harness.WFS(t, "umount", mountpoint); r.Code != 0 || harness.IsMounted(mountpoint) {
				t.Errorf("umount after kill: exit code %d\n%s", r.Code, r.Stderr)
			}
		}
	}
	harness.ReadAll(t, harness.MountAt(t, source, mountpoint).Path)
}

// TestBusy ends the daemon, and unmounts, while readers are at work.
func TestBusy(t *testing.T) {
	source := harness.Large(t)
	m := harness.MountAt(t, source, harness.Mountpoint(t))
	readers := startReaders(m.Path, 100)
	r := harness.WFS(t, "umount", m.Path)
	switch mounted := harness.IsMounted(m.Path); {
	case r.Code == 0 && mounted:
		t.Error("umount says that it did, and the mount is there")
	case r.Code != 0:
		harness.CheckOneLine(t, r, m.Path)
		if !mounted {
			t.Error("umount says that it could not, and the mount is gone")
		}
		syscall.Kill(m.PID, syscall.SIGTERM)
	}
	if !harness.Eventually(30*time.Second, func() bool { return !harness.IsMounted(m.Path) }) {
		t.Error("still mounted after SIGTERM")
	}
	close(readers.stop)
	readers.wait(t)
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
					harness.DropCache(file)
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
