package blocks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// shelf is a Remote of bytes in memory that counts what is asked of it. before is called for
// each request and may fail it.
type shelf struct {
	data     []byte
	requests atomic.Int64
	bytes    atomic.Int64
	before   func(ctx context.Context, off, n int64) error
	cut      func(off int64) int64 // the bytes of a body until it is cut
}

func (s *shelf) Get(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	s.requests.Add(1)
	if s.before != nil {
		if err := s.before(ctx, off, n); err != nil {
			return nil, err
		}
	}
	if off < 0 || n <= 0 || off+n > int64(len(s.data)) {
		return nil, fmt.Errorf("%d bytes at %d were asked for", n, off)
	}
	if s.cut != nil {
		n = min(n, s.cut(off))
	}
	s.bytes.Add(n)
	return io.NopCloser(bytes.NewReader(s.data[off : off+n])), nil
}

func someBytes(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(data)
	return data
}

func open(t *testing.T, opt Options, s *shelf) *File {
	t.Helper()
	opt.Warn = func(err error) { t.Errorf("the cache has failed: %v", err) }
	f := NewFile(New(opt), Pin{Path: "shelf", Identity: "shelf", Size: int64(len(s.data))}, s, WithTimeout(5*time.Second))
	t.Cleanup(func() { f.Close() })
	return f
}

func check(t *testing.T, f *File, s *shelf, off, n int) {
	t.Helper()
	p := make([]byte, n)
	if err := segment.ReadFull(f, p, int64(off)); err != nil {
		t.Fatalf("%d bytes at %d: %v", n, off, err)
	}
	if !bytes.Equal(p, s.data[off:off+n]) {
		t.Fatalf("%d bytes at %d are others", n, off)
	}
}

func TestReadsAnywhere(t *testing.T) {
	s := &shelf{data: someBytes(20<<20 + 12345)}
	f := open(t, Options{Memory: 4 << 20, Dir: t.TempDir()}, s)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 30 {
				n := 1 + rand.IntN(3<<20)
				off := rand.IntN(len(s.data) - n)
				p := make([]byte, n)
				if err := segment.ReadFull(f, p, int64(off)); err != nil || !bytes.Equal(p, s.data[off:off+n]) {
					t.Errorf("%d bytes at %d: %v", n, off, err)
				}
			}
		})
	}
	readers.Wait()
	check(t, f, s, 0, len(s.data))
	p := make([]byte, 10)
	if n, err := f.ReadAt(p, int64(len(s.data))-4); n != 4 || err != io.EOF {
		t.Errorf("past the end: %d bytes, %v", n, err)
	}
	if got := s.bytes.Load(); got > int64(len(s.data))*101/100 {
		t.Errorf("%d bytes were fetched of a file of %d", got, len(s.data))
	}
}

// What one process has read, another has without asking.
func TestDiskIsShared(t *testing.T) {
	dir := t.TempDir()
	s := &shelf{data: someBytes(5<<20 + 1)}
	check(t, open(t, Options{Dir: dir}, s), s, 0, len(s.data))
	far := &shelf{data: s.data, before: func(context.Context, int64, int64) error { return errors.New("it was asked") }}
	eventually(t, func() bool { // the last block is written after its reader has it
		f := open(t, Options{Dir: dir}, far)
		return segment.ReadFull(f, make([]byte, len(s.data)), 0) == nil
	})
	check(t, open(t, Options{Dir: dir}, far), s, 0, len(s.data))
	other := NewFile(New(Options{Dir: dir}), Pin{Path: "other", Identity: "another shelf", Size: int64(len(s.data))}, far, WithTimeout(time.Second))
	if _, err := other.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("blocks of one identity were given out for another")
	}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come about")
		}
	}
}

// Whatever is done to the files of the cache, no byte of it is given out that is not right.
func TestDamagedDisk(t *testing.T) {
	s := &shelf{data: someBytes(2 << 20)}
	for name, damage := range map[string]func(path string, size int64) error{
		"flipped":   func(path string, _ int64) error { return patch(path, dataStart+Size/2, []byte{1, 2, 3, 4}) },
		"table":     func(path string, _ int64) error { return patch(path, tableStart+5, []byte{7}) },
		"moved":     func(path string, _ int64) error { return patch(path, dataStart+Size, s.data[:Size]) },
		"half":      func(path string, size int64) error { return os.Truncate(path, size-Size/2) },
		"no blocks": func(path string, _ int64) error { return os.Truncate(path, dataStart) },
		"empty":     func(path string, _ int64) error { return os.Truncate(path, 0) },
		"zeros": func(path string, size int64) error {
			if err := os.Truncate(path, 0); err != nil {
				return err
			}
			return os.Truncate(path, size)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := open(t, Options{Dir: dir}, s)
			check(t, f, s, 0, len(s.data))
			slab := filepath.Join(dir, "blocks", filepath.Base(f.cache.disk.path(f.id, 0)))
			eventually(t, func() bool { info, err := os.Stat(slab); return err == nil && info.Size() == dataStart+2<<20 })
			if err := damage(slab, dataStart+2<<20); err != nil {
				t.Fatal(err)
			}
			before := s.requests.Load()
			check(t, open(t, Options{Dir: dir}, s), s, 0, len(s.data))
			if s.requests.Load() == before {
				t.Error("nothing was fetched again: the damage is none")
			}
		})
	}
}

func patch(path string, off int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, off)
	return errors.Join(err, f.Close())
}

func TestDiskIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := &shelf{data: someBytes(96 << 20)}
	const limit = 40 << 20
	f := open(t, Options{Dir: dir, Disk: limit, Memory: 1 << 20}, s)
	for off := 0; off < len(s.data); off += 4 << 20 {
		check(t, f, s, off, 4<<20)
		if _, total, err := f.cache.disk.files(); err != nil || total > limit {
			t.Fatalf("it holds %d bytes of %d: %v", total, limit, err)
		}
	}
	if _, total, _ := f.cache.disk.files(); total < limit/2 {
		t.Errorf("it holds %d bytes of %d", total, limit)
	}
	before := s.requests.Load()
	check(t, open(t, Options{Dir: dir, Disk: limit}, s), s, len(s.data)-8<<20, 4<<20)
	if s.requests.Load() != before {
		t.Error("what was read last has been evicted")
	}
}

// Whoever reads one tensor causes no more to be fetched than 1.3 of its bytes and 2 MiB.
func TestFetchesLittleInVain(t *testing.T) {
	data := someBytes(80 << 20)
	for _, n := range []int{1, 4096, 1 << 20, 9<<20 + 5, 40 << 20} {
		for _, step := range []int{128 << 10, 1 << 20, 64 << 20} {
			s := &shelf{data: data}
			f := open(t, Options{}, s)
			const off = 17<<20 + 1234
			for at := 0; at < n; at += step {
				check(t, f, s, off+at, min(step, n-at))
			}
			time.Sleep(20 * time.Millisecond)
			if got := s.bytes.Load(); got > int64(n)*13/10+2<<20 {
				t.Errorf("%d bytes in steps of %d: %d were fetched", n, step, got)
			}
		}
	}
}

// Whoever reads on is waited for by what comes next.
func TestWindowGrows(t *testing.T) {
	s := &shelf{data: someBytes(64 << 20), before: func(context.Context, int64, int64) error { time.Sleep(10 * time.Millisecond); return nil }}
	f := open(t, Options{}, s)
	for off := 0; off < len(s.data); off += 128 << 10 {
		check(t, f, s, off, 128<<10)
	}
	if n := s.requests.Load(); n > 64 {
		t.Errorf("%d requests for 64 MiB", n)
	}
}

func TestCutAndTriedAgain(t *testing.T) {
	var failures atomic.Int64
	s := &shelf{data: someBytes(3 << 20)}
	s.cut = func(int64) int64 { return 700_001 }
	s.before = func(context.Context, int64, int64) error {
		if failures.Add(1)%3 == 0 {
			return &Temporary{Err: errors.New("503")}
		}
		return nil
	}
	check(t, open(t, Options{}, s), s, 0, len(s.data))
	if got := s.bytes.Load(); got != int64(len(s.data)) {
		t.Errorf("%d bytes were fetched of %d", got, len(s.data))
	}
}

func TestGivesUp(t *testing.T) {
	s := &shelf{data: someBytes(1 << 20), before: func(ctx context.Context, _, _ int64) error { <-ctx.Done(); return ctx.Err() }}
	f := NewFile(New(Options{}), Pin{Path: "shelf", Identity: "shelf", Size: 1 << 20}, s, Patience{300 * time.Millisecond, 50 * time.Millisecond})
	began := time.Now()
	_, err := f.ReadAt(make([]byte, 1), 0)
	if err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if s.requests.Load() < 2 {
		t.Errorf("a request that stalls was not made again: %v", err)
	}

	s.before = func(context.Context, int64, int64) error { return fmt.Errorf("412: %w", source.ErrStale) }
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, source.ErrStale) {
		t.Errorf("a change is %v", err)
	}
	if err := f.Verify(); !errors.Is(err, source.ErrStale) {
		t.Errorf("after a change Verify says %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	s := &shelf{data: someBytes(1 << 20), before: func(ctx context.Context, _, _ int64) error { <-ctx.Done(); return ctx.Err() }}
	f := open(t, Options{}, s)
	gone := errors.New("nobody waits")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
	if _, err := segment.ReadUntil(ctx)(segment.NewRange(f, 0, 10), make([]byte, 10), 0); err != gone {
		t.Errorf("an interrupted read is %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { f.Close() })
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, errClosed) {
		t.Errorf("a read of what was closed is %v", err)
	}
}

func TestNotes(t *testing.T) {
	dir := t.TempDir()
	c := New(Options{Dir: dir})
	if text, _ := c.Note("x"); text != nil {
		t.Errorf("a note that nobody wrote: %q", text)
	}
	c.SetNote("x", []byte("1"))
	c.SetNote("x", []byte("2"))
	if text, at := New(Options{Dir: dir}).Note("x"); string(text) != "2" || time.Since(at) > time.Minute {
		t.Errorf("note %q of %v", text, at)
	}
	if text, _ := New(Options{}).Note("x"); text != nil {
		t.Errorf("without a directory there is the note %q", text)
	}
}
