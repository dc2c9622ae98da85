package formats

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// fixtures are the files that the libraries of all formats wrote for the tests of the readers.
func fixtures(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"torch/testdata/*.p*", "hdf5/testdata/*.h5", "keras/testdata/*.h5", "keras/testdata/*.keras", "gguf/testdata/*.gguf"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		all = append(all, paths...)
	}
	return all
}

// TestOrder opens every fixture with the rows of the tables in both orders: a row decides by
// itself whether a file is its own.
func TestOrder(t *testing.T) {
	o, reversed := newOpener(), newOpener()
	slices.Reverse(reversed.files)
	// The first bytes of GGUF are a length of safetensors, and 123 tensors are a brace.
	brace := filepath.Join(t.TempDir(), "brace.gguf")
	if err := os.WriteFile(brace, append([]byte("GGUF\x03\x00\x00\x00{\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 5000)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(fixtures(t), brace) {
		var found []string
		for _, opener := range []*opener{o, reversed} {
			src, err := source.Open(path)
			c, err := opener.open(src, err)
			if err != nil {
				found = append(found, err.Error())
				continue
			}
			found = append(found, c.Format)
			c.Source.Close()
		}
		if path == brace && !strings.Contains(found[0], `the tensor "" twice`) {
			t.Errorf("as GGUF with 123 tensors: %s", found[0])
		}
		if found[0] != found[1] {
			t.Errorf("%s: %s, and with the rows in the other order %s", path, found[0], found[1])
		}
	}
	for i, row := range o.files {
		if slices.IndexFunc(o.files, func(f checkpoint.Format) bool { return f.Name == row.Name }) != i {
			t.Errorf("two rows are called %s", row.Name)
		}
	}
}

// TestRefused opens what cannot be: one line that begins with the name, and nothing is left open.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	before := descriptors(t)
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "missing"), "no such file"},
		{filepath.Join(dir, "missing", "deeper"), "no such file"},
		{write("empty", ""), "it is empty"},
		{write("text", "hello\n"), "it is text"},
		{write("zeros", strings.Repeat("\x00", 4096)), "begins with zeros"},
		{write("pointer", "version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
		{write("page.bin", "<!DOCTYPE html>"), "a download failed"},
		{write("cut.pt", "PK\x03\x04 and no more"), "truncated"},
		{write("cut.h5", "\x89HDF\r\n\x1a\n"), ""},
		{write("cut.safetensors", "\x10\x00\x00\x00\x00\x00\x00\x00{"), "claims 16 bytes"},
		{"/dev/null", ""},
	} {
		m, err := Open(c.path)
		if err == nil {
			m.Close()
			t.Errorf("%s was opened", c.path)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, c.path+": ") || !strings.Contains(text, c.want) || strings.ContainsAny(text, "\n") {
			t.Errorf("%s: %q does not say %q", c.path, text, c.want)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, and %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestPanic has a reader that panics: that is an error of the one file.
func TestPanic(t *testing.T) {
	o := &opener{files: []checkpoint.Format{{
		Name:   "buggy",
		Detect: func([]byte, segment.Data) checkpoint.Match { return checkpoint.Certain },
		Open:   func(source.Source) (*checkpoint.Checkpoint, error) { panic("index out of range") },
	}}}
	if _, err := o.open(source.NewMemory("file", segment.Literal("x"), nil), nil); !errors.Is(err, checkpoint.ErrCorrupt) || !strings.HasPrefix(err.Error(), "file: ") {
		t.Errorf("a reader that panics: %v", err)
	}
}
