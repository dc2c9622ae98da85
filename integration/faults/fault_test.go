package faults

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// faulty is a mount of a torch file on a failing device, what its tensors hold, and
// where the fourth of them lies in the file.
type faulty struct {
	harness.Mounted
	faults  *harness.Faults
	want    [][]byte
	lo, hi  int64
	logFile string
}

func mountFaulty(t *testing.T) *faulty {
	t.Helper()
	source := harness.Large(t)
	f := &faulty{want: harness.ReadTensors(t, harness.Mount(t, source)), logFile: filepath.Join(t.TempDir(), "log")}
	f.lo = int64(bytes.Index(harness.ReadFile(t, source), f.want[3]))
	f.hi = f.lo + int64(len(f.want[3]))
	if f.lo <= 0 {
		t.Fatal("the tensor is not in the file")
	}
	var path string
	path, f.faults = harness.FailingDevice(t, filepath.Dir(source))
	f.Mounted = harness.MountAt(t, filepath.Join(path, filepath.Base(source)), harness.Mountpoint(t), "--log-file", f.logFile)
	return f
}

// fail makes reads fail that begin in the fourth tensor.
func (f *faulty) fail(what harness.Fault) {
	f.faults.Set(func(_ string, off int64) harness.Fault {
		if off >= f.lo && off < f.hi {
			return what
		}
		return harness.Fault{}
	})
}

// others reads all tensors but the fourth, the tree and the listing.
func (f *faulty) others(t *testing.T) {
	t.Helper()
	for i, want := range f.want {
		if i == 3 {
			continue
		}
		if got, err := os.ReadFile(harness.TensorFile(f.Path, i)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("tensor %d: %d bytes, %v", i, len(got), err)
		}
	}
	for _, dir := range []string{"tensors", "tree", "raw"} { // not meta/, for which the pickles are read
		for name, size := range harness.Files(t, filepath.Join(f.Path, dir)) {
			if size == 0 {
				t.Errorf("%s is empty", name)
			}
		}
	}
}

// TestDeviceFails reads from a device with a bad spot: EIO there, one line in the log,
// all else as it is, and no trace once the device is well.
func TestDeviceFails(t *testing.T) {
	for name, what := range map[string]harness.Fault{
		"EIO": {Errno: syscall.EIO}, "ENOSPC": {Errno: syscall.ENOSPC}, "ESTALE": {Errno: syscall.ESTALE}, "ENODEV": {Errno: syscall.ENODEV},
	} {
		t.Run(name, func(t *testing.T) {
			f := mountFaulty(t)
			f.fail(what)
			for range 3 {
				if got, err := os.ReadFile(harness.TensorFile(f.Path, 3)); !errors.Is(err, syscall.EIO) || len(got) == len(f.want[3]) {
					t.Errorf("%d bytes, %v; want EIO", len(got), err)
				}
			}
			f.others(t)
			log := string(harness.ReadFile(t, f.logFile))
			if n := strings.Count(log, "read failed"); n != 1 || !strings.Contains(log, "large.pt") {
				t.Errorf("%d lines in the log, want one:\n%s", n, log)
			}
			f.faults.Set(nil)
			if got, err := os.ReadFile(harness.TensorFile(f.Path, 3)); err != nil || !bytes.Equal(got, f.want[3]) {
				t.Errorf("when the device is well: %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestDeviceShort reads from a device that gives less than it is asked for: the bytes
// are right, and where it gives none, the read fails.
func TestDeviceShort(t *testing.T) {
	f := mountFaulty(t)
	f.faults.Set(func(string, int64) harness.Fault { return harness.Fault{Short: 100_000} })
	for i, want := range f.want {
		if got, err := os.ReadFile(harness.TensorFile(f.Path, i)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("tensor %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// TestDeviceEnds reads from a device that says in the middle of a file that it ends.
func TestDeviceEnds(t *testing.T) {
	f := mountFaulty(t)
	f.fail(harness.Fault{End: true})
	if got, err := os.ReadFile(harness.TensorFile(f.Path, 3)); err == nil || len(got) == len(f.want[3]) {
		t.Errorf("%d bytes, %v; want an error", len(got), err)
	}
	f.others(t)
}

// TestDeviceSlow reads from a slow device while signals come: a signal that does not end
// a program does not end its reads, however long they take.
func TestDeviceSlow(t *testing.T) {
	f := mountFaulty(t)
	expected := filepath.Join(t.TempDir(), "expected")
	harness.Must(t, os.WriteFile(expected, f.want[3], 0o644))
	f.fail(harness.Fault{Delay: 250 * time.Millisecond})
	var problems []string
	harness.Python(t, harness.System, "storm.py", nil, &problems, expected, harness.TensorFile(f.Path, 3), "4", "3")
	for _, problem := range problems {
		t.Error(problem)
	}
}

// TestDeviceHangs has readers at a spot where the device hangs. Everybody else goes on,
// umount says that it is busy, status answers, and readers that are killed are gone. When
// the device is back, so is the file.
func TestDeviceHangs(t *testing.T) {
	f := mountFaulty(t)
	back := make(chan struct{})
	release := sync.OnceFunc(func() { f.faults.Set(nil); close(back) })
	defer release()
	f.fail(harness.Fault{Until: back})
	var readers []*exec.Cmd
	for _, args := range [][]string{
		{"cat", harness.TensorFile(f.Path, 3)}, {"cat", harness.TensorFile(f.Path, 3)}, {"cat", filepath.Join(f.Path, "model.safetensors")},
		{"ls", "-l", filepath.Join(f.Path, "meta")}, {"stat", filepath.Join(f.Path, "meta/pickle.json")},
		{"dd", "if=" + harness.TensorFile(f.Path, 3), "iflag=direct", "bs=4K", "count=1", "skip=3"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		harness.Start(t, cmd)
		readers = append(readers, cmd)
	}
	time.Sleep(200 * time.Millisecond) // they hang by now; if not, the test is the easier
	others := make(chan struct{})
	go func() { defer close(others); f.others(t) }()
	select {
	case <-others:
	case <-time.After(30 * time.Second):
		t.Error("a device that hangs at one spot keeps others from reading")
	}
	if r := harness.WFS(t, "status"); !strings.Contains(r.Stdout, f.Path) {
		t.Errorf("status: %s%s", r.Stdout, r.Stderr)
	}
	harness.Refused(t, []string{"umount", f.Path}, f.Path, "busy")
	for _, cmd := range readers {
		killReader(t, cmd)
	}
	release()
	if got, err := os.ReadFile(harness.TensorFile(f.Path, 3)); err != nil || !bytes.Equal(got, f.want[3]) {
		t.Errorf("when the device is back: %d bytes, %v", len(got), err)
	}
}

// killReader kills a program that waits for the device, and sees that it ends.
func killReader(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	harness.Must(t, cmd.Process.Kill())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("a reader that was killed stays")
	}
}

// TestDeviceHangsInFstat reads what is in memory while the device does not say whether
// the file is as it was: a reader can be killed then too.
func TestDeviceHangsInFstat(t *testing.T) {
	f := mountFaulty(t)
	// With O_DIRECT the reader itself waits for the answer, and not for a page.
	file, err := os.OpenFile(filepath.Join(f.Path, "meta", "index.json"), os.O_RDONLY|syscall.O_DIRECT, 0)
	harness.Must(t, err)
	defer file.Close()
	back := make(chan struct{})
	defer close(back)
	f.faults.Set(func(_ string, off int64) harness.Fault {
		if off == harness.Fstat {
			return harness.Fault{Until: back}
		}
		return harness.Fault{}
	})
	cmd := exec.Command("cat")
	cmd.Stdin = file
	harness.Start(t, cmd)
	time.Sleep(200 * time.Millisecond) // it hangs by now; if not, the test is the easier
	killReader(t, cmd)
}

// TestDeviceHangsForever unmounts while the device hangs: no mount and no reader stays.
func TestDeviceHangsForever(t *testing.T) {
	f := mountFaulty(t)
	back := make(chan struct{})
	defer close(back)
	f.fail(harness.Fault{Until: back})
	cmd := exec.Command("cat", harness.TensorFile(f.Path, 3))
	harness.Start(t, cmd)
	time.Sleep(200 * time.Millisecond)
	if r := harness.WFS(t, "umount", "--lazy", f.Path); r.Code != 0 {
		t.Errorf("umount --lazy: %s", r.Stderr)
	}
	killReader(t, cmd)
	if !harness.Eventually(30*time.Second, func() bool { return !harness.IsMounted(f.Path) && len(harness.Daemons(f.Path)) == 0 }) {
		t.Error("the mount or its daemon stays")
	}
}
