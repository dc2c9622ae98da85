package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sha1Name   = "0123456789abcdef0123456789abcdef01234567"
	sha256Name = sha1Name + "0123456789abcdef01234567"
)

// write makes files; a value that begins with "-> " is the target of a link.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	for name, content := range files {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(strings.ReplaceAll(target, "TOP", top), path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// TestLinks opens files through links: what lies in the directory, and what the Hub's cache
// keeps elsewhere, and nothing else.
func TestLinks(t *testing.T) {
	top := write(t, map[string]string{
		"outside": "secret", "model/in": "good", "model/absolute": "-> TOP/model/in", "model/chain": "-> absolute",
		"model/up": "-> ../outside", "model/far": "-> TOP/outside", "model/gone": "-> ../nothing", "model/loop": "-> loop",
		"model/deep/up": "-> ../../outside", "model/deep/in": "-> ../in", "model/dir": "-> deep", "model/proc": "-> /proc/self/environ",
		"modelling/x": "secret", "model/sibling": "-> ../modelling/x", "model/byd": "-> dir/up",

		"hub/models--a--b/blobs/" + sha1Name: "good", "hub/models--a--b/blobs/" + sha256Name: "good",
		"hub/models--a--b/blobs/passwd": "good", "hub/models--a--b/refs/main": "secret", "hub/models--a--b/snapshots/1/plain": "good",
		"hub/models--a--b/snapshots/1/x":         "-> ../../blobs/" + sha1Name,
		"hub/models--a--b/snapshots/1/short":     "-> ../../blobs/passwd",
		"hub/models--a--b/snapshots/1/unet/x":    "-> ../../../blobs/" + sha256Name,
		"hub/models--a--b/snapshots/1/unet/odd":  "-> ../../../blobs/passwd",
		"hub/models--a--b/snapshots/1/unet/main": "-> ../../../refs/main",
		"hub/models--a--b/snapshots/1/unet/up":   "-> ../../../../../outside",
		"local/x":                                "-> TOP/hub/models--a--b/blobs/" + sha256Name, "local/snapshot": "-> TOP/hub/models--a--b/snapshots/1/x",
		"local/copied": "-> TOP/hub/models--a--b/snapshots/1/plain",
		"local/short":  "-> TOP/hub/models--a--b/blobs/passwd", "local/main": "-> TOP/hub/models--a--b/refs/main",
	})
	for path, want := range map[string]error{
		"model/in": nil, "model/absolute": nil, "model/chain": nil, "model/deep/in": nil,
		"model/up": ErrOutside, "model/far": ErrOutside, "model/deep/up": ErrOutside, "model/proc": ErrOutside, "model/sibling": ErrOutside,
		"model/byd": ErrOutside, "model/gone": ErrDangling, "model/loop": unix.ELOOP, "model/nothing": fs.ErrNotExist,
		"model/../outside": ErrOutside, "model/deep/../../outside": ErrOutside,

		"hub/models--a--b/snapshots/1!/x": nil, "hub/models--a--b/snapshots/1!/short": nil, "hub/models--a--b/snapshots/1!/unet/x": nil,
		"hub/models--a--b/snapshots/1/unet!/x": nil, "hub/models--a--b/snapshots/1/unet!/odd": nil,
		"hub/models--a--b/snapshots/1/unet!/main": ErrOutside, "hub/models--a--b/snapshots/1/unet!/up": ErrOutside,
		"hub/models--a--b!/snapshots/1/x": nil, "hub/models--a--b/snapshots!/1/short": nil,
		"local/x": nil, "local/snapshot": nil, "local/copied": nil, "local/short": ErrOutside, "local/main": ErrOutside,
	} {
		base, file, ok := strings.Cut(path, "!/") // which part of the path is the directory
		if !ok {
			base, file, _ = strings.Cut(path, "/")
		}
		dir, err := OpenDir(filepath.Join(top, base))
		if err != nil {
			t.Fatal(err)
		}
		s, err := dir.Open(file)
		if want != nil {
			if !errors.Is(err, want) || want == ErrDangling && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v, want %v", path, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		b := make([]byte, s.Size())
		if s.ReadAt(b, 0); string(b) != "good" || s.Path() != filepath.Join(top, base, file) {
			t.Errorf("%s is %s, and reads as %q", path, s.Path(), b)
		}
		s.Close()
	}
}

// TestSwapped has a file and a directory replaced by links that lead out, again and again,
// while they are opened.
func TestSwapped(t *testing.T) {
	top := write(t, map[string]string{
		"out/file": "secret", "out/dir/secret": "", "in/file": "good", "in/dir/good": "",
		"in/file.link": "-> ../out/file", "in/dir.link": "-> ../out/dir",
	})
	dir, err := OpenDir(filepath.Join(top, "in"))
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			for _, name := range []string{"in/file", "in/dir"} {
				select {
				case <-stop:
					return
				default:
				}
				path := filepath.Join(top, name)
				unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, path+".link", unix.RENAME_EXCHANGE)
			}
		}
	}()
	good, refused := 0, 0
	for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
		if s, err := dir.Open("file"); err == nil {
			b := make([]byte, s.Size())
			if s.ReadAt(b, 0); string(b) != "good" {
				t.Fatalf("the file reads as %q", b)
			}
			s.Close()
			good++
		} else {
			refused++
		}
		if list, err := dir.List("dir"); err == nil && len(list) > 0 && list[0].Name != "good" {
			t.Fatalf("the directory lists %v", list)
		}
	}
	close(stop)
	<-stopped
	t.Logf("opened %d times, refused %d times", good, refused)
}

// TestLooking opens without openat2, as on a kernel that has none.
func TestLooking(t *testing.T) {
	top := write(t, map[string]string{"out": "x", "in/file": "good", "in/link": "-> file", "in/out": "-> ../out", "in/deep/x": ""})
	dir, err := OpenDir(filepath.Join(top, "in"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "link", "deep", "."} {
		fd, err := dir.openLooking(name, unix.O_RDONLY)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		unix.Close(fd)
	}
	for _, name := range []string{"out", "../out", ".."} {
		if _, err := dir.openLooking(name, unix.O_RDONLY); !errors.Is(err, ErrOutside) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRenamedDir keeps to the directory that was opened.
func TestRenamedDir(t *testing.T) {
	top := write(t, map[string]string{"a/x": "good", "b/x": "bad", "a/link": "-> TOP/a/x"})
	dir, err := OpenDir(filepath.Join(top, "a"))
	if err != nil {
		t.Fatal(err)
	}
	os.Rename(filepath.Join(top, "a"), filepath.Join(top, "c"))
	os.Rename(filepath.Join(top, "b"), filepath.Join(top, "a"))
	s, err := dir.Open("x")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := make([]byte, s.Size())
	if s.ReadAt(b, 0); string(b) != "good" {
		t.Errorf("it reads as %q", b)
	}
	if _, err := dir.Open("link"); !errors.Is(err, ErrOutside) { // to the other one
		t.Errorf("a link to what has the directory's name now: %v", err)
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"model.bin": "model.bin", "a b": "a b", "é": "é", "a\x1b[31m": `"a\x1b[31m"`, "a\nb": `"a\nb"`, "\xff": `"\xff"`,
		"\u202egnp": `"\u202egnp"`, strings.Repeat("x", 400): strings.Repeat("x", 200) + "…",
	} {
		if got := Printable(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}
