package tree

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/view"
)

// set is a weight set of tensors of one byte each, whose values tell them apart.
func set(dir string, value byte, keys ...string) *checkpoint.Set {
	c := &checkpoint.Checkpoint{Source: source.NewMemory("weights.bin", segment.Literal(nil), nil), Separator: ".", Framework: "pt"}
	for i, key := range keys {
		c.Tensors = append(c.Tensors, &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Data: segment.Literal{value + byte(i)}})
	}
	return &checkpoint.Set{Dir: dir, Shards: []checkpoint.Shard{{Checkpoint: c, ViewName: "model.safetensors"}}}
}

// paths is every file of a tree below a directory. Two entries of one name fail the test.
func paths(t *testing.T, d *Dir, prefix string, all map[string]*File) map[string]*File {
	t.Helper()
	seen := map[string]bool{}
	for i := range d.Len() {
		name, n := d.Entry(i)
		if seen[name] {
			t.Errorf("%s%s is there twice", prefix, name)
		}
		seen[name] = true
		if found, ok := d.Lookup(name); !ok || found != n {
			t.Errorf("%s%s is listed, and not found", prefix, name)
		}
		if n.Dir != nil {
			paths(t, n.Dir, prefix+name+"/", all)
		} else {
			all[prefix+name] = n.File
		}
	}
	return all
}

func build(t *testing.T, layout string, sets ...*checkpoint.Set) (*Tree, map[string]*File) {
	t.Helper()
	plan, err := view.New(&checkpoint.Model{Sets: sets}, view.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Build(plan, Options{Layout: layout})
	if err != nil {
		t.Fatal(err)
	}
	return tree, paths(t, tree.Root, "", map[string]*File{})
}

// TestSetsOfOneDirectory has an adapter beside a model, with a key of the same name.
func TestSetsOfOneDirectory(t *testing.T) {
	adapter := set("", 11, "weight", "lora.A")
	adapter.Name = "adapter_model"
	adapter.Shards[0].ViewName = "adapter_model.safetensors"
	_, all := build(t, Full, set("", 1, "weight", "adapter_model.x"), adapter)
	for _, path := range []string{
		"model.safetensors", "adapter_model.safetensors", "tensors/weight.npy", "tensors/adapter_model/weight.npy", "tensors/adapter_model/lora.A.npy",
		"tree/weight.npy", "tree/adapter_model/x.npy", "tree/adapter_model%/weight.npy", "tree/adapter_model%/lora/A.npy",
		"raw/adapter_model/weight.bin",
	} {
		if all[path] == nil {
			t.Errorf("%s is missing", path)
		}
	}
	if got := adapter.Qualify("weight"); got != "adapter_model/weight" {
		t.Errorf("its key is %s", got)
	}
}

// TestSetsBesideKeys has weight sets in directories that are called like the parts of
// keys of the set above: every tensor is there, under a path of its own.
func TestSetsBesideKeys(t *testing.T) {
	_, all := build(t, Full,
		set("", 1, "unet.weight", "unet", "vae.npy.weight", "%.weight"), set("unet", 11, "weight", "deep.bias"),
		set("unet/deep", 21, "bias"), set("vae.npy", 31, "weight"), set("50%", 41, "w"), set("%", 51, "weight"))
	for path, value := range map[string]byte{
		"tensors/unet.weight.npy": 1, "tensors/unet.npy": 2, "tensors/unet/weight.npy": 11, "tensors/unet/deep/bias.npy": 21,
		"tree/unet/weight.npy": 1, "tree/unet%/weight.npy": 11, "tree/unet%/deep/bias.npy": 12, "tree/unet%/deep%/bias.npy": 21,
		"tensors/vae%2Enpy/weight.npy": 31, "tree/vae/npy/weight.npy": 3, "tree/vae%2Enpy/weight.npy": 31,
		"tensors/50%25/w.npy": 41, "tree/%25/weight.npy": 4, "tree/%25%/weight.npy": 51,
	} {
		file := all[path]
		if file == nil {
			t.Errorf("%s is missing", path)
			continue
		}
		data, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		last := make([]byte, 1)
		if _, err := data.ReadAt(last, data.Size()-1); err != nil || last[0] != value {
			t.Errorf("%s holds %d, want %d: %v", path, last[0], value, err)
		}
	}
	for _, path := range []string{"model.safetensors", "unet/model.safetensors", "50%/model.safetensors", "vae.npy/model.safetensors"} {
		if all[path] == nil {
			t.Errorf("%s is missing", path)
		}
	}
	// The names in meta/index.json are those below tensors/.
	data, err := all["meta/index.json"].Open()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, data.Size())
	data.ReadAt(b, 0)
	var index struct {
		Tensors []struct{ Name, File string }
	}
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	for _, e := range index.Tensors {
		if all["tensors/"+e.Name+".npy"] == nil {
			t.Errorf("meta/index.json names %s, which is not there", e.Name)
		}
		if strings.HasPrefix(e.Name, "unet/") != strings.HasPrefix(e.File, "unet/") {
			t.Errorf("%s is of %s", e.Name, e.File)
		}
	}
	if len(index.Tensors) != 10 {
		t.Errorf("meta/index.json has %d tensors", len(index.Tensors))
	}
}

// TestReserved has a source with directories that are called like those of wfs.
func TestReserved(t *testing.T) {
	sets := []*checkpoint.Set{set("", 1, "a"), set("raw", 2, "b"), set("tensors/x", 3, "c")}
	tree, all := build(t, Full, sets...)
	for _, path := range []string{"model.safetensors", "tensors/a.npy", "tensors/raw/b.npy", "raw/raw/b.bin", "tensors/tensors/x/c.npy"} {
		if all[path] == nil {
			t.Errorf("%s is missing", path)
		}
	}
	for path := range all {
		if strings.HasSuffix(path, ".safetensors") && path != "model.safetensors" {
			t.Errorf("%s is there", path)
		}
	}
	if len(tree.Notes) != 2 || !strings.Contains(tree.Notes[0], "raw/ of the source is hidden") {
		t.Errorf("notes: %q", tree.Notes)
	}
	tree, all = build(t, HF, sets...)
	if len(all) != 3 || all["raw/model.safetensors"] == nil || len(tree.Notes) > 0 {
		t.Errorf("--layout hf shows %d files, and says %q", len(all), tree.Notes)
	}
}

// TestInodes checks that inode numbers are those of the source's order, whatever the
// layout of memory is, and that each is its place in Nodes.
func TestInodes(t *testing.T) {
	numbers := func() (list []uint64) {
		tree, all := build(t, Full, set("", 1, "z", "a.b", "a"), set("sub", 1, "x"))
		for i, n := range tree.Nodes {
			if n.Dir != nil && n.Dir.Ino != uint64(i+1) || n.File != nil && n.File.Ino != uint64(i+1) {
				t.Errorf("node %d has another inode number", i+1)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(all)) {
			list = append(list, all[path].Ino)
		}
		return list
	}
	if first, second := numbers(), numbers(); !slices.Equal(first, second) || len(first) < 12 {
		t.Errorf("inode numbers %v, then %v", first, second)
	}
}

// TestTwice builds two trees of one model: they are equal, to the last byte, and the model
// is what it was.
func TestTwice(t *testing.T) {
	root := set("", 1, "model.w", "model.b", "opt.w", "z")
	c := root.Shards[0].Checkpoint
	c.Candidates = []checkpoint.Candidate{{Key: "model", What: "state dict"}}
	c.Omitted, c.Notes = []checkpoint.Omitted{{Key: "x", Reason: "y"}}, []string{"a note"}
	c.Tensors = append(c.Tensors, &checkpoint.Tensor{Key: "model.c", DType: checkpoint.C128, Shape: []int64{1}, Data: segment.Literal(make([]byte, 16))})
	root.Index = "model.safetensors.index.json"
	before := fmt.Sprintf("%+v %+v", *c, *root)
	_, first := build(t, Full, root)
	_, second := build(t, Full, root)
	if after := fmt.Sprintf("%+v %+v", *c, *root); after != before {
		t.Errorf("the model was changed:\n%s\n%s", before, after)
	}
	if len(first) != len(second) || len(first) < 15 {
		t.Errorf("%d files, and %d", len(first), len(second))
	}
	for path, file := range first {
		other := second[path]
		if other == nil || other.Ino != file.Ino || other.Links != file.Links || contents(t, other) != contents(t, file) {
			t.Errorf("%s differs", path)
		}
	}
	if index := contents(t, first["meta/index.json"]); !strings.Contains(index, "safetensors has no dtype C128") {
		t.Errorf("the index does not say what the view lacks:\n%s", index)
	}
}

func contents(t *testing.T, f *File) string {
	t.Helper()
	data, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, data.Size())
	if err := segment.ReadFull(data, b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
