// Package readertest is the suite that every reader of files must pass, whatever its
// format: on good files, on files that were cut or changed, and on a source that fails.
package readertest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// Bounds of what the suite reads of a damaged file, which may claim anything, and of how
// long it may take: no file here has more than a few hundred KiB.
const (
	mostRead = 1 << 20
	soon     = 10 * time.Second
)

// Files reads the files of a pattern, and insists that there are at least so many.
func Files(t testing.TB, pattern string, least int) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) < least {
		t.Fatalf("seed files are missing: %v, %v", paths, err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = b
	}
	return files
}

// Run puts format through the suite with files that the format's own library wrote.
func Run(t *testing.T, format checkpoint.Format, files map[string][]byte) {
	if len(files) == 0 {
		t.Fatal("no files to read")
	}
	for name, b := range files {
		t.Run(name, func(t *testing.T) {
			want := whole(t, format, b)
			t.Run("detected", func(t *testing.T) { detected(t, format, b) })
			t.Run("opened twice", func(t *testing.T) {
				if again := whole(t, format, b); !slices.EqualFunc(again, want, tensor.equal) {
					t.Error("a second opening has other tensors")
				}
			})
			t.Run("random offsets", func(t *testing.T) { randomOffsets(t, format, b, want) })
			t.Run("at once", func(t *testing.T) { atOnce(t, format, b, want) })
			t.Run("truncated", func(t *testing.T) { truncated(t, format, b) })
			t.Run("flipped", func(t *testing.T) { flipped(t, format, b) })
			t.Run("failing", func(t *testing.T) { failing(t, format, b, want) })
		})
	}
}

// tensor is what one held when its file was whole.
type tensor struct {
	key   string
	dtype checkpoint.DType
	shape []int64
	bytes []byte
}

func (a tensor) equal(b tensor) bool {
	return a.key == b.key && a.dtype == b.dtype && slices.Equal(a.shape, b.shape) && bytes.Equal(a.bytes, b.bytes)
}

// whole opens a good file and reads all of it.
func whole(t *testing.T, format checkpoint.Format, b []byte) []tensor {
	t.Helper()
	c, err := format.Open(&watched{Memory: memory(b), t: t})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tensors) == 0 || c.Format == "" || c.Separator == "" || c.Framework == "" {
		t.Errorf("%d tensors, format %q, separator %q, framework %q", len(c.Tensors), c.Format, c.Separator, c.Framework)
	}
	var all []tensor
	keys := map[string]bool{}
	for _, one := range c.Tensors {
		if keys[one.Key] {
			t.Errorf("two tensors are called %q", one.Key)
		}
		keys[one.Key] = true
		if one.Tied != nil && (one.Tied.Tied != nil || !keys[one.Tied.Key] || one.Tied.Data != one.Data) {
			t.Errorf("%q is not tied to the first of its kind", one.Key)
		}
		sized(t, one)
		data := make([]byte, one.Data.Size())
		if err := segment.ReadFull(one.Data, data, 0); err != nil {
			t.Errorf("%q: %v", one.Key, err)
		}
		all = append(all, tensor{one.Key, one.DType, one.Shape, data})
	}
	return all
}

// sized checks that a tensor has the bytes that its shape says.
func sized(t *testing.T, one *checkpoint.Tensor) {
	t.Helper()
	size, err := checkpoint.ByteSize(one.DType, one.Shape)
	if err != nil || size != one.Data.Size() {
		t.Errorf("%q of %s %v has %d bytes (%v)", one.Key, one.DType, one.Shape, one.Data.Size(), err)
	}
}

func detected(t *testing.T, format checkpoint.Format, b []byte) {
	if format.Name == "" {
		t.Error("the format has no name")
	}
	if match := format.Detect(b[:min(512, len(b))], segment.Literal(b)); match == checkpoint.No {
		t.Error("the file is not detected")
	}
	for _, other := range []string{"", "x", "just a text\n", "\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x7fELF\x02\x01\x01"} {
		if match := format.Detect([]byte(other), segment.Literal(other)); match != checkpoint.No {
			t.Errorf("%q is detected", other)
		}
	}
}

func randomOffsets(t *testing.T, format checkpoint.Format, b []byte, want []tensor) {
	c, err := format.Open(&watched{Memory: memory(b), t: t})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i, one := range c.Tensors {
		for range 20 {
			checkRead(t, one, want[i], rng.IntN(len(want[i].bytes)+1), rng.IntN(5000))
		}
		if n, err := one.Data.ReadAt(make([]byte, 1), -1); n > 0 || err == nil {
			t.Errorf("%q: %d bytes at -1", one.Key, n)
		}
	}
}

// checkRead reads n bytes at off, of which some may lie past the end.
func checkRead(t *testing.T, one *checkpoint.Tensor, want tensor, off, n int) {
	t.Helper()
	p := make([]byte, n)
	k, err := one.Data.ReadAt(p, int64(off))
	end := min(off+n, len(want.bytes))
	if k != end-off || k < n && err == nil || !bytes.Equal(p[:k], want.bytes[off:end]) {
		t.Errorf("%q: %d of %d bytes at %d of %d, %v; or other bytes", one.Key, k, n, off, len(want.bytes), err)
	}
}

// atOnce reads one file from many goroutines.
func atOnce(t *testing.T, format checkpoint.Format, b []byte, want []tensor) {
	c, err := format.Open(&watched{Memory: memory(b), t: t})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for worker := range uint64(8) {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(worker, 3))
			for range 200 {
				i := rng.IntN(len(c.Tensors))
				checkRead(t, c.Tensors[i], want[i], rng.IntN(len(want[i].bytes)+1), rng.IntN(2000))
			}
		})
	}
	group.Wait()
}

func truncated(t *testing.T, format checkpoint.Format, b []byte) {
	for i := 0; i < len(b); i += max(1, len(b)/places()) {
		exercise(t, format, b[:i])
	}
}

func flipped(t *testing.T, format checkpoint.Format, b []byte) {
	for i := 0; i < len(b); i += max(1, len(b)/places()) {
		changed := bytes.Clone(b)
		changed[i] ^= 1 << (i % 8)
		exercise(t, format, changed)
		changed[i] = 0xff
		exercise(t, format, changed)
	}
}

// places is in how many places a file is damaged.
func places() int {
	if testing.Short() {
		return 20
	}
	return 150
}

// exercise opens whatever it is given and reads some of what it claims to hold: it is an
// error, or has right sizes, soon.
func exercise(t *testing.T, format checkpoint.Format, b []byte) {
	t.Helper()
	start := time.Now()
	if c, err := format.Open(&watched{Memory: memory(b), t: t}); err == nil {
		read := 0
		p := make([]byte, 1<<12)
		for _, one := range c.Tensors {
			sized(t, one)
			n, _ := one.Data.ReadAt(p, max(0, one.Data.Size()/2-100))
			if read += n; read > mostRead {
				break
			}
		}
	} else if len(err.Error()) > 4<<10 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
	if took := time.Since(start); took > soon {
		t.Errorf("a file of %d bytes took %v", len(b), took)
	}
}

// failing reads a file whose source fails sooner or later: there are right bytes or an
// error, and never others.
func failing(t *testing.T, format checkpoint.Format, b []byte, want []tensor) {
	opened := false
	for after := int64(0); after < 60; after++ {
		src := &watched{Memory: memory(b), t: t}
		src.left.Store(after)
		src.fails = true
		c, err := format.Open(src)
		if err != nil {
			if !errors.Is(err, errFails) {
				t.Errorf("after %d reads: %v hides that the source failed", after, err)
			}
			continue
		}
		opened = true
		for i, one := range c.Tensors {
			p := make([]byte, one.Data.Size())
			if n, err := one.Data.ReadAt(p, 0); err == nil && !bytes.Equal(p, want[min(i, len(want)-1)].bytes) && len(c.Tensors) == len(want) || n > len(p) {
				t.Errorf("after %d reads: %q has other bytes, and no error", after, one.Key)
			}
		}
	}
	if !opened && len(b) < 1<<16 {
		t.Log("the file was never opened within 60 reads")
	}
}

func memory(b []byte) *source.Memory { return source.NewMemory("test", segment.Literal(b), nil) }

var errFails = errors.New("the source fails")

// watched is a source that fails the test when it is asked for what it does not have, and
// fails itself after some reads where a test says so.
type watched struct {
	*source.Memory
	t     *testing.T
	fails bool
	left  atomic.Int64
}

// ReadAt implements io.ReaderAt.
func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > w.Size() {
		w.t.Errorf("a read at %d of a source of %d bytes", off, w.Size())
	}
	if w.fails && w.left.Add(-1) < 0 {
		return 0, fmt.Errorf("at %d: %w", off, errFails)
	}
	return w.Memory.ReadAt(p, off)
}
