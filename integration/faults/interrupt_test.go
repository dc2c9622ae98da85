package faults

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

	"wfs/integration/harness"
)

// TestInterrupted reads while a timer's signals come a thousand times a second, so that
// the kernel sends INTERRUPT for one read after the other: each read is whole, no page
// fault is SIGBUS, and the daemon keeps nothing.
func TestInterrupted(t *testing.T) {
	source := harness.Large(t)
	expected := filepath.Join(t.TempDir(), "expected")
	harness.Must(t, os.WriteFile(expected, harness.ReadFile(t, harness.Mount(t, source), "model.safetensors"), 0o644))
	m := harness.MountAt(t, source, harness.Mountpoint(t))
	before := harness.Descriptors(t, m.PID)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var problems []string
			harness.Python(t, harness.System, "storm.py", nil, &problems, expected, filepath.Join(m.Path, "model.safetensors"), "60", "20")
			for _, problem := range problems {
				t.Error(problem)
			}
		})
	}
	group.Wait()
	if !harness.Eventually(30*time.Second, func() bool { return harness.Descriptors(t, m.PID) <= before }) {
		t.Errorf("the daemon has %d descriptors, and had %d", harness.Descriptors(t, m.PID), before)
	}
}

// TestKilledReaders kills readers in the middle of reads, again and again: none stays,
// and the daemon serves on and keeps nothing.
func TestKilledReaders(t *testing.T) {
	m := harness.MountAt(t, harness.Large(t), harness.Mountpoint(t))
	view := filepath.Join(m.Path, "model.safetensors")
	want := harness.ReadFile(t, view)
	before := harness.Descriptors(t, m.PID)
	for turn := range 15 {
		harness.Evict(t, view)
		var readers []*exec.Cmd
		for range 8 {
			cmd := exec.Command("sha256sum", view)
			harness.Start(t, cmd)
			readers = append(readers, cmd)
		}
		time.Sleep(time.Duration(turn*3) * time.Millisecond)
		for _, cmd := range readers {
			cmd.Process.Kill()
			if err := harness.WaitFor(cmd, 20*time.Second); err != nil {
				t.Error(err)
			}
		}
	}
	harness.Evict(t, view)
	if !bytes.Equal(harness.ReadFile(t, view), want) {
		t.Error("other bytes after readers were killed")
	}
	if !harness.Eventually(30*time.Second, func() bool { return harness.Descriptors(t, m.PID) <= before }) {
		t.Errorf("the daemon has %d descriptors, and had %d", harness.Descriptors(t, m.PID), before)
	}
}

// TestKilledDaemon kills the daemon below processes that read and that have the file
// mapped: all of them end, the mapped ones by SIGBUS or an error.
func TestKilledDaemon(t *testing.T) {
	source := harness.Large(t)
	mountpoint := harness.Mountpoint(t)
	m := harness.MountAt(t, source, mountpoint)
	view := filepath.Join(m.Path, "model.safetensors")
	var all []*harness.Worker
	for i := range 12 {
		all = append(all, harness.StartWorker(t, "forever", view, []string{"pread", "map"}[i%2]))
	}
	for _, w := range all {
		w.Begin()
	}
	for _, w := range all { // a line when it has read something
		if line, err := w.ReadLine(); err != nil {
			t.Fatalf("%q, %v\n%s", line, err, w.Errors())
		}
	}
	harness.Must(t, syscall.Kill(m.PID, syscall.SIGKILL))
	for i, w := range all {
		if err := harness.WaitFor(w.Cmd, 20*time.Second); err != nil {
			t.Errorf("worker %d: %v", i, err)
		}
		if code := w.ProcessState.ExitCode(); code != 3 {
			t.Errorf("worker %d: exit code %d, want 3\n%s", i, code, w.Errors())
		}
	}
	if r := harness.WFS(t, "mount", source, mountpoint); r.Code != 0 {
		t.Errorf("mounting over what is left: %s", r.Stderr)
	}
	harness.ReadAll(t, mountpoint)
}

func init() { harness.RegisterWorker("forever", readForever) }

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
			harness.DropCache(file)
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
