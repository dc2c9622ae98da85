package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestInterrupted reads while a timer's signals come a thousand times a second, so that
// the kernel sends INTERRUPT for one read after the other: each read is whole, no page
// fault is SIGBUS, and the daemon keeps nothing.
func TestInterrupted(t *testing.T) {
	source := large(t)
	expected := filepath.Join(t.TempDir(), "expected")
	must(t, os.WriteFile(expected, readFile(t, mount(t, source), "model.safetensors"), 0o644))
	m := mountAt(t, source, filepath.Join(t.TempDir(), "mnt"))
	before := descriptors(t, m.pid)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var problems []string
			python(t, "torch", "storm.py", nil, &problems, expected, filepath.Join(m.path, "model.safetensors"), "60", "20")
			for _, problem := range problems {
				t.Error(problem)
			}
		})
	}
	group.Wait()
	if !eventually(30*time.Second, func() bool { return descriptors(t, m.pid) <= before }) {
		t.Errorf("the daemon has %d descriptors, and had %d", descriptors(t, m.pid), before)
	}
}

// TestKilledReaders kills readers in the middle of reads, again and again: none stays,
// and the daemon serves on and keeps nothing.
func TestKilledReaders(t *testing.T) {
	m := mountAt(t, large(t), filepath.Join(t.TempDir(), "mnt"))
	view := filepath.Join(m.path, "model.safetensors")
	want := readFile(t, view)
	before := descriptors(t, m.pid)
	for turn := range 15 {
		evict(t, view)
		var readers []*exec.Cmd
		for range 8 {
			cmd := exec.Command("sha256sum", view)
			must(t, cmd.Start())
			readers = append(readers, cmd)
		}
		time.Sleep(time.Duration(turn*3) * time.Millisecond)
		for _, cmd := range readers {
			cmd.Process.Kill()
			if err := waitFor(cmd, 20*time.Second); err != nil {
				t.Error(err)
			}
		}
	}
	evict(t, view)
	if !bytes.Equal(readFile(t, view), want) {
		t.Error("other bytes after readers were killed")
	}
	if !eventually(30*time.Second, func() bool { return descriptors(t, m.pid) <= before }) {
		t.Errorf("the daemon has %d descriptors, and had %d", descriptors(t, m.pid), before)
	}
}

// TestKilledDaemon kills the daemon below processes that read and that have the file
// mapped: all of them end, the mapped ones by SIGBUS or an error.
func TestKilledDaemon(t *testing.T) {
	source := large(t)
	mountpoint := filepath.Join(t.TempDir(), "mnt")
	m := mountAt(t, source, mountpoint)
	view := filepath.Join(m.path, "model.safetensors")
	var all []*worker
	for i := range 12 {
		all = append(all, startWorker(t, "forever", view, []string{"pread", "map"}[i%2]))
	}
	for _, w := range all {
		w.begin()
	}
	for _, w := range all { // a line when it has read something
		if line, err := w.stdout.ReadString('\n'); err != nil {
			t.Fatalf("%q, %v\n%s", line, err, w.errors())
		}
	}
	must(t, syscall.Kill(m.pid, syscall.SIGKILL))
	for i, w := range all {
		if err := waitFor(w.Cmd, 20*time.Second); err != nil {
			t.Errorf("worker %d: %v", i, err)
		}
		if code := w.ProcessState.ExitCode(); code != 3 {
			t.Errorf("worker %d: exit code %d, want 3\n%s", i, code, w.errors())
		}
	}
	if r := wfs(t, "mount", source, mountpoint); r.code != 0 {
		t.Errorf("mounting over what is left: %s", r.stderr)
	}
	readAll(t, mountpoint)
}

func init() { workers["forever"] = readForever }

// readForever reads a file in random places until that fails, and exits with 3 then.
// args: the file, and how.
func readForever(args []string) error {
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	read := func(at int64) error { _, err := file.ReadAt(make([]byte, 4096), at); return err }
	if args[1] == "map" {
		data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			return err
		}
		read = func(at int64) error { return touch(data, at) }
	}
	for i := int64(0); ; i++ {
		if i%50 == 0 {
			dropCache(file)
		}
		if err := read(i * 12_345_678 % (info.Size() - 4096)); err != nil {
			if errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EIO) || errors.Is(err, errFault) {
				os.Exit(3)
			}
			return err
		}
		if i == 0 {
			fmt.Println("reading")
		}
	}
}

var errFault = errors.New("SIGBUS")

// touch reads a byte of a mapping.
func touch(data []byte, at int64) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errFault
		}
	}()
	sink.Store(int64(data[at]))
	return nil
}

var sink atomic.Int64

// evict drops the pages of a file.
func evict(t testing.TB, path string) {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	dropCache(file)
}

// waitFor waits for a process to end, however it ends.
func waitFor(cmd *exec.Cmd, limit time.Duration) error {
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s has not ended after %v", cmd.Path, limit)
	}
}
