package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOverlap(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"models/bert", "other", "models-too"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "models"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source, mountpoint string
		ok                 bool
	}{
		{"models", "other", true}, {"models", "models-too", true}, {"models/bert", "models-too", true},
		{"models", "models", false}, {"models", "models/bert", false}, {"models", "models/new/deep", false},
		{"models/bert", "models", false}, {"link", "models/bert", false}, {"models", "link/bert", false},
		{"models", "link/new", false}, {"models", "other/../models/x", false}, {"link/bert", "models", false},
		{"models", "new", true}, {"models/bert", "models/new", true}, {"other", "/", false}, {"/", "other", false},
	} {
		at := func(name string) string {
			if filepath.IsAbs(name) {
				return name
			}
			return dir + "/" + name // not cleaned
		}
		if err := overlap(at(c.source), at(c.mountpoint)); (err == nil) != c.ok {
			t.Errorf("%s on %s: %v", c.source, c.mountpoint, err)
		}
	}
}

func TestPrepareMountpoint(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "model.pt")
	full := filepath.Join(dir, "full")
	for _, file := range []string{source, filepath.Join(full, "x")} {
		os.Mkdir(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for mountpoint, words := range map[string]string{full: "not empty", source: "not a directory", source + "/x": "not a directory"} {
		made, err := prepareMountpoint(source, mountpoint)
		if err == nil {
			_, err = claim(source, mountpoint)
		}
		if err == nil || !strings.Contains(err.Error(), words) || len(made) > 0 {
			t.Errorf("%s: %v, %v", mountpoint, made, err)
		}
	}
	if _, err := prepareMountpoint(filepath.Join(dir, "missing"), filepath.Join(dir, "new")); err == nil {
		t.Error("a source that is missing")
	}
	deep := filepath.Join(dir, "a/b/c")
	made, err := prepareMountpoint(source, deep)
	if err != nil || len(made) != 3 {
		t.Fatalf("%v, %v", made, err)
	}
	if again, err := prepareMountpoint(source, deep); err != nil || len(again) != 0 {
		t.Errorf("one that is there and empty: %v, %v", again, err)
	}
	lock, err := claim(source, deep)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(source, deep); err == nil || !strings.Contains(err.Error(), "another wfs") {
		t.Errorf("one that is locked: %v", err)
	}
	lock.Close()
	removeAll(made)
	if _, err := os.Stat(filepath.Join(dir, "a")); !os.IsNotExist(err) {
		t.Error("what was made is left")
	}
}

// TestClaimMoved has the path of a claimed mountpoint lead elsewhere: the directory that
// was claimed is the one that is known.
func TestClaimMoved(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "model.pt"), "")
	mountpoint := filepath.Join(dir, "mnt")
	if err := os.Mkdir(mountpoint, 0o755); err != nil {
		t.Fatal(err)
	}
	claimed, err := claim(filepath.Join(dir, "model.pt"), mountpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer claimed.Close()
	if err := errors.Join(os.Rename(mountpoint, mountpoint+"2"), os.Symlink("/", mountpoint)); err != nil {
		t.Fatal(err)
	}
	if got := locate(claimed, claimed.Name()); got != mountpoint+"2" {
		t.Errorf("it is %s, want %s2", got, mountpoint)
	}
}

func TestUnescapeOctal(t *testing.T) {
	for in, want := range map[string]string{
		`/mnt/a\040b`: "/mnt/a b", `\134040`: `\040`, `/x\011\012y`: "/x\t\ny", `a\`: `a\`, `a\04`: `a\04`, `a\999`: `a\999`, "": "",
	} {
		if got := unescapeOctal(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestMounts(t *testing.T) {
	for _, m := range mounts() {
		if m.path == "/proc" && m.fsType == "proc" {
			return
		}
	}
	t.Error("/proc is not in the list of mounts")
}
