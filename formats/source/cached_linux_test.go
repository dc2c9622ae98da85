package source

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"wfs/formats/segment"

	"golang.org/x/sys/unix"
)

// TestReadCached reads a file that is in the page cache, and one that was dropped from
// it, on a disk and in memory.
func TestReadCached(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, dir := range []string{t.TempDir(), "/dev/shm"} {
		f, err := os.CreateTemp(dir, "cached")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(f.Name())
		f.Write(want)
		f.Sync()
		f.Close()
		s, err := Open(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if !s.instant {
			t.Logf("%s is on a file system that is never read that way", dir)
			if _, err := s.ReadCached(make([]byte, 16), 0); err != segment.ErrNotCached {
				t.Errorf("a file system that may wait: %v", err)
			}
			continue
		}
		for _, off := range []int64{0, 5, 4096, int64(len(want)) - 16, int64(len(want)) - 3, int64(len(want)), -1} {
			p, q := make([]byte, 16), make([]byte, 16)
			n, err := s.ReadAt(p, off)
			k, cached := s.ReadCached(q, off)
			if n != k || err != cached || !bytes.Equal(p, q) {
				t.Errorf("at %d: %d bytes, %v; cached %d, %v", off, n, err, k, cached)
			}
		}
		// The kernel keeps pages that another processor has just looked at, for a while.
		cached := func() bool {
			if err := unix.Fadvise(int(s.file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
				t.Fatal(err)
			}
			_, err := s.ReadCached(make([]byte, 1<<20), 0)
			return err != segment.ErrNotCached
		}
		for end := time.Now().Add(30 * time.Second); cached(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("a file that is not in the page cache is read from it")
			}
		}
	}
}

// TestReadCachedElsewhere has sources without a page cache, and one that lost its bytes.
func TestReadCachedElsewhere(t *testing.T) {
	if _, err := segment.ReadCached(strings.NewReader("0123"), make([]byte, 2), 0); err != segment.ErrNotCached {
		t.Errorf("a reader: %v", err)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Truncate(path, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadCached(make([]byte, 4), 2); err == nil || err == io.EOF {
		t.Errorf("a truncated file: %v", err)
	}
}
