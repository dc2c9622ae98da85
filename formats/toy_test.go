package formats

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/internal/toy"
	"wfs/formats/rules"
	"wfs/formats/source"
	"wfs/formats/tree"
	"wfs/formats/view"
)

// TestToy is the end of the walk of CONTRIBUTING.md: with one row more in the table, a file
// of the new format has everything that the others have.
func TestToy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.toy")
	if err := os.WriteFile(path, []byte(`{"toy": 1, "tensors": [{"key": "layer.w", "shape": [1]}]}`+"\n\x00\x00\x80?"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := newOpener()
	o.files = append(o.files, toy.Format()) // the row
	src, err := source.Open(path)
	c, err := o.open(src, err)
	if err != nil {
		t.Fatal(err)
	}
	model := checkpoint.Single(path, c)
	defer model.Close()
	plan, err := view.New(model, view.Rules{File: &rules.File{Root: rules.Flag("--root", "layer")}})
	if err != nil {
		t.Fatal(err)
	}
	files, err := tree.Build(plan, tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := fs.ReadFile(files, "raw/layer.w.bin")
	if err != nil || string(raw) != "\x00\x00\x80?" {
		t.Errorf("%q, %v", raw, err)
	}
	if shown, err := fs.ReadFile(files, "model.safetensors"); err != nil || len(shown) != 4096+4 {
		t.Errorf("the view has %d bytes, %v", len(shown), err)
	}
}
