//go:build unix

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

func open(t *testing.T, content string) (*Local, string) {
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
		"rewritten, and its mtime put back": rewriteSecretly,
		"rewritten through a mapping":       rewriteMapped,
		"truncated":                         func(path string) error { return os.Truncate(path, 3) },
		"grown":                             func(path string) error { return os.Truncate(path, 30) },
		"rewritten":                         func(path string) error { return os.WriteFile(path, []byte("9876543210"), 0o644) },
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

func rewriteSecretly(path string) error {
	if err := os.WriteFile(path, []byte("9876543210"), 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0))
}

func rewriteMapped(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := syscall.Mmap(int(f.Fd()), 0, 10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	m[3] = 'x'
	return syscall.Munmap(m)
}

// TestInodeChanged changes what is not bytes: the file stays valid, and a rewrite after
// that is found all the same.
func TestInodeChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"mode":             func(path string) error { return os.Chmod(path, 0o600) },
		"link":             func(path string) error { return os.Link(path, path+".link") },
		"renamed":          func(path string) error { return os.Rename(path, path+".old") },
		"replaced by link": func(path string) error { return errors.Join(os.Rename(path, path+".old"), os.Symlink("x", path)) },
		"deleted":          os.Remove,
	} {
		s, path := open(t, "0123456789")
		other, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		time.Sleep(10 * time.Millisecond) // a tick of the clock that ctimes are taken from
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Verify(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(10 * time.Millisecond)
		other.WriteAt([]byte("x"), 3)
		if name != "deleted" && name != "renamed" && name != "replaced by link" {
			os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0))
		}
		if err := s.Verify(); !errors.Is(err, ErrStale) {
			t.Errorf("%s, then rewritten: %v", name, err)
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
