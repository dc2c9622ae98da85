package fs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// TestSourceChanged checks that no read of a changed source gives bytes.
func TestSourceChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 1<<20) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"rewritten": func(path string) error { return os.WriteFile(path, make([]byte, 8<<20), 0o644) },
		"touched":   func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := randomFile(t, 8<<20)
			src := open(t, path)
			log := &lines{}
			server, dir := mount(t, treeOf(t, modelOf(src, ranges(src, 8)...)), Options{Log: log.logger()})
			f, err := os.Open(filepath.Join(dir, "raw/layer.7.weight.bin"))
			must(t, err)
			defer f.Close()
			time.Sleep(10 * time.Millisecond) // a tick of the clock that mtimes are taken from
			must(t, change(path))
			for range 5 {
				if n, err := f.ReadAt(make([]byte, 100), 4096); n != 0 || !errors.Is(err, unix.ESTALE) {
					t.Errorf("read: %d bytes, %v; want ESTALE", n, err)
				}
			}
			if _, err := os.Open(filepath.Join(dir, "raw/layer.6.weight.bin")); !errors.Is(err, unix.ESTALE) {
				t.Errorf("open: %v; want ESTALE", err)
			}
			if n := log.count(); n != 2 || !strings.Contains(log.String(), path) {
				t.Errorf("%d log lines for two files, want 2:\n%s", n, log)
			}
			if server.Stats().Errors < 3 {
				t.Error("errors are not counted")
			}
		})
	}
}

// faulty is data that does what a test says.
type faulty struct {
	segment.Data
	read func(p []byte, off int64) (int, error)
}

func (f faulty) ReadAt(p []byte, off int64) (int, error) { return f.read(p, off) }

// TestFaults checks that a reader that fails, panics or comes up short gives EIO, that
// the mount goes on and that other files still read.
func TestFaults(t *testing.T) {
	path, b := randomFile(t, 1<<20)
	src := open(t, path)
	good := &segment.Range{Src: src, N: 1 << 20}
	log := &lines{}
	_, dir := mount(t, treeOf(t, modelOf(src,
		tensor("good", good),
		tensor("failing", faulty{good, func([]byte, int64) (int, error) { return 0, errors.New("the disk is on fire") }}),
		tensor("panicking", faulty{good, func(p []byte, _ int64) (int, error) { return int(p[len(p)]), nil }}),
		tensor("short", faulty{good, func(p []byte, off int64) (int, error) { return len(p) / 2, io.EOF }}),
		tensor("lying", faulty{good, func(p []byte, off int64) (int, error) { return 0, nil }}),
	)), Options{Log: log.logger()})
	for _, name := range []string{"failing", "panicking", "short", "lying"} {
		f, err := os.Open(filepath.Join(dir, "raw", name+".bin"))
		must(t, err)
		for range 3 {
			if n, err := f.ReadAt(make([]byte, 4096), 8192); n != 0 || !errors.Is(err, unix.EIO) {
				t.Errorf("%s: %d bytes, %v; want EIO", name, n, err)
			}
		}
		must(t, f.Close())
	}
	if n := log.count(); n != 4 {
		t.Errorf("%d log lines for four files:\n%s", n, log)
	}
	for _, words := range []string{"level=ERROR msg=\"read failed\" file=" + path, "offset=8192 error=\"the disk is on fire\"\n", "index out of range", "unexpected EOF"} {
		if !strings.Contains(log.String(), words) {
			t.Errorf("the log does not say %q:\n%s", words, log)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "raw/good.bin"))
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("the good file: %v", err)
	}
}

// hanging is data that hangs when it is told to.
type hanging struct {
	segment.Data
	on    *atomic.Bool
	asked chan struct{}
	until chan struct{}
}

func (h hanging) wait() {
	if h.on.Load() {
		h.asked <- struct{}{}
		<-h.until
	}
}

func (h hanging) Size() int64 { h.wait(); return h.Data.Size() }

func (h hanging) ReadAt(p []byte, off int64) (int, error) { h.wait(); return h.Data.ReadAt(p, off) }

// TestSlow has a source that hangs, for some in open and for some in read: all other
// files open, read and close.
func TestSlow(t *testing.T) {
	path, _ := randomFile(t, 1<<20)
	src := open(t, path)
	good := &segment.Range{Src: src, N: 1 << 20}
	slow := hanging{good, &atomic.Bool{}, make(chan struct{}, 100), make(chan struct{})}
	_, dir := mount(t, treeOf(t, modelOf(src, tensor("good", good), tensor("slow", slow))), Options{Log: testLog(t)})
	npy := filepath.Join(dir, "tensors/slow.npy")
	_, err := os.Stat(npy) // a size that the kernel knows is not asked for again
	must(t, err)
	f, err := os.Open(filepath.Join(dir, "raw/slow.bin"))
	must(t, err)
	defer f.Close()
	slow.on.Store(true)
	var group sync.WaitGroup
	defer group.Wait()
	defer close(slow.until)
	for range 4 {
		group.Go(func() { f.ReadAt(make([]byte, 10), 0) })
		group.Go(func() { os.ReadFile(npy) }) // opening it lays out header and data, which asks for a size
	}
	for range 2 {
		<-slow.asked
	}
	done := make(chan error, 1)
	go func() {
		for range 20 {
			if _, err := os.ReadFile(filepath.Join(dir, "raw/good.bin")); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("a slow source keeps other files from being read")
	}
}

func TestErrno(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{source.ErrStale, unix.ESTALE}, {errors.Join(errors.New("x"), source.ErrStale), unix.ESTALE},
		{&os.PathError{Err: unix.ENOMEM}, unix.ENOMEM}, {&os.PathError{Err: unix.EACCES}, unix.EIO},
		{io.EOF, unix.EIO}, {checkpoint.ErrCorrupt, unix.EIO},
	} {
		if got := errnoOf(c.err); got != c.want {
			t.Errorf("%v becomes %v, want %v", c.err, got, c.want)
		}
	}
}
