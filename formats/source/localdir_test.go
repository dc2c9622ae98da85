package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
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

// ways are this system's way into a directory, and that of systems without openat2(2).
var ways = map[string]func(path string) (Nested, error){
	"OpenDir": func(path string) (Nested, error) { return OpenDir(path) },
	"os.Root": func(path string) (Nested, error) { return openRoot(path) },
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
		"model/byd": ErrOutside, "model/gone": ErrDangling, "model/loop": syscall.ELOOP, "model/nothing": fs.ErrNotExist,
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
		for way, open := range ways {
			dir, err := open(filepath.Join(top, base))
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			s, err := dir.Open(file)
			if want != nil {
				if !errors.Is(err, want) || want == ErrDangling && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %s: %v, want %v", way, path, err, want)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %s: %v", way, path, err)
				continue
			}
			b := make([]byte, s.Size())
			if s.ReadAt(b, 0); string(b) != "good" || s.Path() != filepath.Join(top, base, file) {
				t.Errorf("%s: %s is %s, and reads as %q", way, path, s.Path(), b)
			}
			s.Close()
		}
	}
}

// TestRenamedDir keeps to the directory that was opened.
func TestRenamedDir(t *testing.T) {
	for way, open := range ways {
		top := write(t, map[string]string{"a/x": "good", "b/x": "bad", "a/link": "-> TOP/a/x"})
		dir, err := open(filepath.Join(top, "a"))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		os.Rename(filepath.Join(top, "a"), filepath.Join(top, "c"))
		os.Rename(filepath.Join(top, "b"), filepath.Join(top, "a"))
		s, err := dir.Open("x")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		b := make([]byte, s.Size())
		if s.ReadAt(b, 0); string(b) != "good" {
			t.Errorf("%s: it reads as %q", way, b)
		}
		if _, err := dir.Open("link"); !errors.Is(err, ErrOutside) { // to the other one
			t.Errorf("%s: a link to what has the directory's name now: %v", way, err)
		}
	}
}

// TestKinds lists a directory, and one below it, in both ways.
func TestKinds(t *testing.T) {
	top := write(t, map[string]string{
		"in/a": "", "in/b": "-> a", "in/c/d": "good", "in/e": "-> c", "in/f": "-> nothing", "in/g": "-> ../out", "out": "",
	})
	want := []Entry{{"a", File}, {"b", File}, {"c", Directory}, {"e", LinkedDir}, {"f", Unreadable}, {"g", File}}
	for way, open := range ways {
		dir, err := open(filepath.Join(top, "in"))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if got, err := dir.List(""); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", way, got, err)
		}
		below, err := dir.Sub("c")
		if err != nil {
			t.Fatal(err)
		}
		defer below.Close()
		if got, err := below.List(""); err != nil || !slices.Equal(got, []Entry{{"d", File}}) {
			t.Errorf("%s: below: %v, %v", way, got, err)
		}
		if s, err := below.Open("d"); err != nil || s.Path() != filepath.Join(top, "in/c/d") {
			t.Errorf("%s: below: %v", way, err)
		}
		for _, path := range []string{"../out", "e/../../out", filepath.Join(top, "out")} {
			if _, err := dir.List(path); err == nil {
				t.Errorf("%s: %s is listed", way, path)
			}
		}
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
