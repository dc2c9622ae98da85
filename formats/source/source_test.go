package source

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func open(t *testing.T, content string) (*Source, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	// A rewrite within the clock's tick would keep the mtime.
	if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, path
}

func TestPinned(t *testing.T) {
	s, path := open(t, "0123456789")
	p := make([]byte, 4)
	if n, err := s.ReadAt(p, 8); n != 2 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
	os.Rename(path, path+".old")
	os.WriteFile(path, []byte("another file"), 0o644)
	if err := s.Verify(); err != nil {
		t.Errorf("replaced by rename: %v", err)
	}
	if n, err := s.ReadAt(p, 0); n != 4 || err != nil || string(p) != "0123" {
		t.Errorf("replaced by rename: %q, %v", p, err)
	}
}

func TestStale(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 3) },
		"grown":     func(path string) error { return os.Truncate(path, 30) },
		"rewritten": func(path string) error { return os.WriteFile(path, []byte("9876543210"), 0o644) },
	} {
		s, path := open(t, "0123456789")
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(); !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.ReadAt(make([]byte, 8), 0); name == "truncated" && !errors.Is(err, ErrStale) {
			t.Errorf("a read of a truncated file: %v", err)
		}
	}
}

func TestRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, "/dev/zero"} {
		if s, err := Open(path); err == nil {
			s.Close()
			t.Errorf("%s was opened", path)
		}
	}
}
