package integration

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// goodFiles is a whole file of each format, small enough to damage everywhere.
func goodFiles(t testing.TB) map[string][]byte {
	t.Helper()
	good := map[string][]byte{}
	for _, path := range goodPaths(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		good[filepath.Base(path)] = b
	}
	if len(good) == 0 {
		t.Fatal("no files")
	}
	return good
}

// small is a small torch file.
func small(t testing.TB) string {
	t.Helper()
	return goodPaths(t)[0]
}

var goodOnce struct {
	sync.Once
	Files []string `json:"files"`
}

func goodPaths(t testing.TB) []string {
	t.Helper()
	goodOnce.Do(func() { python(t, "torch", "write_good.py", nil, &goodOnce, sampleDir(t, "good")) })
	if len(goodOnce.Files) == 0 {
		t.Fatal("write_good.py failed before")
	}
	return goodOnce.Files
}

// large copies a torch file of sixteen tensors of 4 MiB, so that the test may damage it.
func large(t testing.TB) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(binary), "large.pt")
	largeOnce.Do(func() { python(t, "torch", "write_large.py", nil, nil, path) })
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "large.pt")
	if err := os.WriteFile(own, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return own
}

var largeOnce sync.Once

// sampleDir is a directory that lasts as long as the binary.
func sampleDir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(binary), name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
