package fs

import (
	"bytes"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// prefetching is a mount of four tensors of 32 MiB.
func prefetching(t *testing.T, opt Options) (s *Server, dir, path string, b []byte) {
	t.Helper()
	path, b = randomFile(t, 128<<20)
	src := open(t, path)
	opt.Log = testLog(t)
	s, dir = mount(t, treeOf(t, modelOf(src, ranges(src, 4)...)), opt)
	return s, dir, path, b
}

// settled is the prefetched bytes when they grow no more.
func settled(s *Server) int64 {
	for was := int64(-1); ; {
		now := s.Stats().Prefetched
		if now == was {
			return now
		}
		was = now
		time.Sleep(50 * time.Millisecond)
	}
}

// tensorAt maps the view and gives the bytes of a tensor in it.
func tensorAt(t *testing.T, dir string, b []byte, i int) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "model.safetensors"))
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	view, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	must(t, err)
	t.Cleanup(func() { unix.Munmap(view) })
	// Page by page, or the kernel's own read-ahead does so well that it gets no help.
	must(t, unix.Madvise(view, unix.MADV_RANDOM))
	at := bytes.Index(view[:1<<20], b[:64]) // the first tensor, after the header
	if at < 0 {
		t.Fatal("the view does not begin with the first tensor")
	}
	return view[at+i<<25 : at+(i+1)<<25]
}

// TestPrefetchTensor reads one tensor of a mapped view, and the tensors after it.
func TestPrefetchTensor(t *testing.T) {
	s, dir, _, b := prefetching(t, Options{})
	const size = 32 << 20
	one := tensorAt(t, dir, b, 0)
	if !bytes.Equal(one[:size/2], b[:size/2]) {
		t.Error("half of the tensor has other bytes")
	}
	if n := settled(s); n == 0 || n > size {
		t.Errorf("%d bytes are prefetched for a tensor of %d", n, size)
	}
	if !bytes.Equal(one, b[:size]) {
		t.Error("the tensor has other bytes")
	}
	before := s.Stats()
	if !bytes.Equal(one[:3*size][size:], b[size:3*size]) {
		t.Error("the next tensors have other bytes")
	}
	if n := settled(s) - before.Prefetched; n < size/2 || n > 2*size+aheadWindow {
		t.Errorf("%d bytes are prefetched for tensors that are read in order", n)
	}
	if s.Stats().Errors > 0 {
		t.Error("reads failed")
	}
}

// TestPrefetchRandom touches single pages all over a view.
func TestPrefetchRandom(t *testing.T) {
	s, dir, _, _ := prefetching(t, Options{})
	f, err := os.Open(filepath.Join(dir, "model.safetensors"))
	must(t, err)
	defer f.Close()
	for i := range int64(200) {
		_, err := f.ReadAt(make([]byte, 4096), i*7919%30_000*4096)
		must(t, err)
	}
	if n := settled(s); n > 0 {
		t.Errorf("%d bytes are prefetched for single pages", n)
	}
}

// TestNoPrefetch reads a view with the prefetch switched off.
func TestNoPrefetch(t *testing.T) {
	s, dir, _, _ := prefetching(t, Options{NoPrefetch: true})
	_, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	must(t, err)
	if n := s.Stats().Prefetched; n > 0 {
		t.Errorf("%d bytes", n)
	}
}

// TestPrefetchChanged rewrites the source while it is prefetched: nothing that was read
// after that is in the page cache.
func TestPrefetchChanged(t *testing.T) {
	path, b := randomFile(t, 64<<20)
	src := open(t, path)
	changed := make(chan struct{})
	var read atomic.Int64
	slow := &pausing{Source: src, at: func(off int64) {
		if read.Add(1) == 20 {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err == nil {
				f.WriteAt(make([]byte, 64<<20), 0)
				f.Close()
			}
			close(changed)
		}
	}}
	_, dir := mount(t, treeOf(t, modelOf(slow, ranges(slow, 4)...)), Options{Log: testLog(t)})
	f, err := os.Open(filepath.Join(dir, "raw/layer.0.weight.bin"))
	must(t, err)
	defer f.Close()
	got := make([]byte, 16<<20)
	n := 0
	for ; n < len(got); n += 4096 {
		if _, err := f.ReadAt(got[n:n+4096], int64(n)); err != nil {
			break
		}
	}
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("the source was not changed")
	}
	if !bytes.Equal(got[:n], b[:n]) {
		t.Error("bytes that are not the source's")
	}
	// What is cached is the old file's.
	for at := 0; at < len(got); at += 4096 {
		page := make([]byte, 4096)
		if k, err := f.ReadAt(page, int64(at)); err == nil && !bytes.Equal(page[:k], b[at:at+k]) {
			t.Fatalf("at %d: bytes of the changed source", at)
		}
	}
}

// pausing is a source that tells of its reads.
type pausing struct {
	source.Source
	at func(off int64)
}

func (p *pausing) ReadAt(b []byte, off int64) (int, error) { p.at(off); return p.Source.ReadAt(b, off) }

// TestPrefetchUnmount unmounts right after a reader that was prefetched for, many times.
func TestPrefetchUnmount(t *testing.T) {
	path, _ := randomFile(t, 64<<20)
	src := open(t, path)
	tree := treeOf(t, modelOf(src, ranges(src, 4)...))
	prefetched := int64(0)
	for i := range 30 {
		s, dir := mount(t, tree, Options{Log: testLog(t)})
		f, err := os.Open(filepath.Join(dir, "model.safetensors"))
		must(t, err)
		must(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM))
		buffer := make([]byte, 256<<10)
		for n := int64(0); n < int64(8+i)<<20; n += 256 << 10 {
			_, err := f.ReadAt(buffer, n)
			must(t, err)
		}
		must(t, f.Close())
		must(t, s.Unmount(false))
		prefetched += s.Stats().Prefetched
		select {
		case <-s.Done():
		case <-time.After(30 * time.Second):
			t.Fatal("the server goes on")
		}
	}
	if prefetched == 0 {
		t.Error("nothing is prefetched")
	}
}

// TestPrefetchPath checks that a mount which cannot be reached by its path is not
// prefetched, and read as ever.
func TestPrefetchPath(t *testing.T) {
	s, dir, _, b := prefetching(t, Options{})
	one := tensorAt(t, dir, b, 0)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	defer func() {
		for end := time.Now().Add(10 * time.Second); unix.Unmount(dir, 0) != nil && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if !bytes.Equal(one, b[:32<<20]) {
		t.Error("other bytes")
	}
	if n := s.Stats().Prefetched; n > 0 {
		t.Errorf("%d bytes", n)
	}
}

// TestStraight has data that is prefetched and data that is not.
func TestStraight(t *testing.T) {
	path, _ := randomFile(t, 1<<20)
	src := open(t, path)
	part := segment.NewRange(src, 100, 1000)
	for _, c := range []struct {
		data segment.Data
		want bool
	}{
		{part, true}, {segment.Literal("text"), true}, {&segment.Elementwise{From: part, In: 1, Out: 1}, true},
		{faulty{part, nil}, false}, {segment.NewRange(faulty{part, nil}, 1, 2), false},
	} {
		if isStraight(c.data) != c.want {
			t.Errorf("%T: %v", c.data, !c.want)
		}
	}
}
