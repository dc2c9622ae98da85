package tree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/view"
)

// TestFS has the standard library try the tree as a file system.
func TestFS(t *testing.T) {
	sets := []*checkpoint.Set{set("", 1, "a.b", "a", "%", "", "c/d", "\xff"), set("unet", 7, "x.y.z")}
	sets[0].Index = "model.safetensors.index.json"
	tree, all := build(t, Full, sets...)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	if err := fstest.TestFS(tree, names...); err != nil {
		t.Error(err)
	}
	if _, err := fs.Stat(tree, "tensors/a.b.npy/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name below a file: %v", err)
	}
}

// TestFSStale reads a tree whose source changes: no byte of it comes through.
func TestFSStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(path, []byte("0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	c := &checkpoint.Checkpoint{Source: src, Separator: ".", Framework: "pt", Tensors: []*checkpoint.Tensor{
		{Key: "a", DType: checkpoint.U8, Shape: []int64{10}, Data: segment.NewRange(src, 0, 10)},
	}}
	plan, err := view.New(checkpoint.Single(path, c), view.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Build(plan, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := tree.Open("raw/a.bin")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Read(make([]byte, 10)); n > 0 || !errors.Is(err, source.ErrStale) {
		t.Errorf("%d bytes of a changed source, %v", n, err)
	}
	if _, err := fs.ReadFile(tree, "raw/a.bin"); !errors.Is(err, source.ErrStale) {
		t.Errorf("a changed source is opened: %v", err)
	}
}
