package faults

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/integration/harness"
)

// reading is a program that reads a file in pieces of 128 KiB, which the kernel sends as they
// are: a reader for whom it reads ahead well by itself gets no help.
const reading = `
import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
while os.read(file, 1 << 17):
    pass
`

// inPieces is what a file holds, read as by that program.
func inPieces(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	harness.Must(t, err)
	defer f.Close()
	harness.Must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM))
	var all bytes.Buffer
	_, err = io.CopyBuffer(struct{ io.Writer }{&all}, struct{ io.Reader }{f}, make([]byte, 128<<10))
	harness.Must(t, err)
	return all.Bytes()
}

// slowed is a mount whose source takes its time, and its view, which a program reads.
func slowed(t *testing.T, fault harness.Fault, from int64) (m harness.Mounted, want []byte, source string, faults *harness.Faults, reader *exec.Cmd) {
	t.Helper()
	file := harness.Large(t)
	first := harness.MountAt(t, file, harness.Mountpoint(t))
	want = harness.ReadFile(t, filepath.Join(first.Path, "model.safetensors"))
	dir, faults := harness.FailingDevice(t, filepath.Dir(file))
	source = filepath.Join(dir, filepath.Base(file))
	m = harness.MountAt(t, source, harness.Mountpoint(t))
	faults.Set(func(_ string, off int64) harness.Fault {
		if off >= from {
			return fault
		}
		return harness.Fault{}
	})
	reader = exec.Command("python3", "-c", reading, filepath.Join(m.Path, "model.safetensors"))
	harness.Start(t, reader)
	if !harness.Eventually(30*time.Second, func() bool { return harness.StatusOf(t, m.Path).Prefetched > 0 }) {
		t.Fatal("nothing is prefetched")
	}
	return m, want, source, faults, reader
}

// threads is how many threads a process has.
func threads(t *testing.T, pid int) int {
	t.Helper()
	for line := range strings.Lines(string(harness.ReadFile(t, filepath.Join("/proc", strconv.Itoa(pid), "status")))) {
		if n, ok := strings.CutPrefix(line, "Threads:"); ok {
			count, err := strconv.Atoi(strings.TrimSpace(n))
			harness.Must(t, err)
			return count
		}
	}
	t.Fatal("no count of threads")
	return 0
}

// TestPrefetchKilled kills the daemon while it prefetches from a device that takes 2 s for
// a read. Its threads wait for pages that nobody will bring, and must end all the same.
func TestPrefetchKilled(t *testing.T) {
	m, _, source, faults, reader := slowed(t, harness.Fault{Delay: 2 * time.Second}, 40<<20)
	time.Sleep(300 * time.Millisecond) // the prefetch waits by now; if not, the test is the easier
	harness.Must(t, syscall.Kill(m.PID, syscall.SIGKILL))
	if err := harness.WaitFor(reader, 20*time.Second); err != nil {
		t.Errorf("the reader: %v", err)
	}
	if !harness.Eventually(20*time.Second, func() bool { return len(harness.Daemons(m.Path)) == 0 }) {
		t.Fatal("a killed daemon stays")
	}
	faults.Set(nil)
	if r := harness.WFS(t, "mount", source, m.Path); r.Code != 0 {
		t.Errorf("mounting over what is left: %s", r.Stderr)
	}
}

// TestPrefetchHangs lets the device hang in the middle of a prefetch: the daemon answers,
// has a bounded number of threads, is unmounted lazily, and ends. Where the device comes
// back, all bytes are right.
func TestPrefetchHangs(t *testing.T) {
	for _, lazy := range []bool{true, false} {
		back := make(chan struct{})
		release := sync.OnceFunc(func() { close(back) })
		defer release()
		m, want, _, faults, reader := slowed(t, harness.Fault{Until: back}, 40<<20)
		time.Sleep(300 * time.Millisecond)
		if n := threads(t, m.PID); n > 100 {
			t.Errorf("the daemon has %d threads", n)
		}
		if lazy {
			if r := harness.WFS(t, "umount", "--lazy", m.Path); r.Code != 0 {
				t.Errorf("umount --lazy: %s", r.Stderr)
			}
			killReader(t, reader)
			if !harness.Eventually(30*time.Second, func() bool { return len(harness.Daemons(m.Path)) == 0 }) {
				t.Error("the daemon stays")
			}
			continue
		}
		killReader(t, reader)
		faults.Set(nil)
		release()
		if got := harness.ReadFile(t, filepath.Join(m.Path, "model.safetensors")); !bytes.Equal(got, want) {
			t.Error("other bytes when the device is back")
		}
	}
}

// TestPrefetchUmount unmounts right after a reader from a slow device has ended.
func TestPrefetchUmount(t *testing.T) {
	m, _, _, _, reader := slowed(t, harness.Fault{Delay: 5 * time.Millisecond}, 0)
	harness.Must(t, reader.Process.Kill())
	reader.Wait()
	if r := harness.WFS(t, "umount", m.Path); r.Code != 0 {
		t.Errorf("umount: %s", r.Stderr)
	}
}

// TestPrefetchMemory has the daemon in a control group that has no room: it leaves the
// reading ahead be, and the bytes are right.
func TestPrefetchMemory(t *testing.T) {
	source := harness.Large(t)
	with := func(squeeze bool) (prefetched int64, all []byte) {
		m := harness.MountAt(t, source, harness.Mountpoint(t))
		if squeeze {
			group := harness.NewCgroup(t)
			if group == nil {
				t.Skip("no control group can be made here")
			}
			group.Add(t, m.PID)
			group.Squeeze(t, 24<<20)
		}
		all = inPieces(t, filepath.Join(m.Path, "model.safetensors"))
		prefetched = harness.StatusOf(t, m.Path).Prefetched
		harness.Unmount(t, m.Path) // before the group ends, which holds its daemon
		return prefetched, all
	}
	free, want := with(false)
	short, got := with(true)
	if !bytes.Equal(got, want) {
		t.Error("other bytes where memory is short")
	}
	if free == 0 || short > 0 {
		t.Errorf("%d bytes are prefetched with memory, %d without", free, short)
	}
}
