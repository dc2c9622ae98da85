package formats

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"wfs/integration/harness"
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

var goodOnce struct {
	sync.Once
	Files []string `json:"files"`
}

func goodPaths(t testing.TB) []string {
	t.Helper()
	goodOnce.Do(func() { harness.Python(t, harness.Torch, "write_good.py", nil, &goodOnce, harness.Dir(t, "good")) })
	if len(goodOnce.Files) == 0 {
		t.Fatal("write_good.py failed before")
	}
	return goodOnce.Files
}
