package huggingface

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// fake reads any file as one tensor named after it.
func fake(path string) (*checkpoint.Checkpoint, error) {
	src, err := source.Open(path)
	if err != nil {
		return nil, err
	}
	key := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return &checkpoint.Checkpoint{Source: src, Separator: ".", Tensors: []*checkpoint.Tensor{
		{Key: key, DType: checkpoint.U8, Shape: []int64{src.Size()}, Data: &segment.Range{Src: src, N: src.Size()}},
	}}, nil
}

// tree writes files; a value that begins with "-> " is the target of a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// show renders a model: "dir/view=source" for shards, "+path" for what passes.
func show(m *checkpoint.Model) string {
	var parts []string
	for _, set := range m.Sets {
		for _, s := range set.Shards {
			parts = append(parts, filepath.Join(set.Dir, s.ViewName)+"="+s.Source.Name())
		}
		if set.Index != "" {
			parts = append(parts, filepath.Join(set.Dir, set.Index))
		}
	}
	for _, f := range m.Files {
		parts = append(parts, "+"+f.Path)
	}
	return strings.Join(parts, " ")
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
		wrong string
	}{
		{"bin", map[string]string{"pytorch_model.bin": "x", "config.json": "{}"},
			"model.safetensors=pytorch_model.bin +config.json", ""},
		{"safetensors wins", map[string]string{"pytorch_model.bin": "x", "model.safetensors": "y", "model.fp16.safetensors": "z", "tf_model.h5": "h"},
			"model.safetensors=model.safetensors", ""},
		{"shards", map[string]string{
			"pytorch_model.bin.index.json":     `{"weight_map":{"pytorch_model-00001-of-00002":"pytorch_model-00001-of-00002.bin","pytorch_model-00002-of-00002":"pytorch_model-00002-of-00002.bin"}}`,
			"pytorch_model-00001-of-00002.bin": "1", "pytorch_model-00002-of-00002.bin": "2", "tokenizer.json": "{}"},
			"model-00001-of-00002.safetensors=pytorch_model-00001-of-00002.bin model-00002-of-00002.safetensors=pytorch_model-00002-of-00002.bin model.safetensors.index.json +tokenizer.json", ""},
		{"diffusers", map[string]string{"model_index.json": "{}", "unet/diffusion_pytorch_model.bin": "u", "unet/config.json": "{}", "text_encoder/pytorch_model.bin": "t", ".git/config": "g"},
			"text_encoder/model.safetensors=pytorch_model.bin unet/diffusion_pytorch_model.safetensors=diffusion_pytorch_model.bin +model_index.json +unet/config.json", ""},
		{"adapter", map[string]string{"adapter_model.bin": "a"}, "adapter_model.safetensors=adapter_model.bin", ""},
		{"leaving link", map[string]string{"pytorch_model.bin": "x", "secret.txt": "-> /etc/hostname"}, "model.safetensors=pytorch_model.bin", ""},
		{"weights outside", map[string]string{"pytorch_model.bin": "-> /etc/hostname"}, "", "leaves the directory"},
		{"index outside", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"../x.bin"}}`}, "", "no file of its directory"},
		{"index absolute", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"/etc/passwd"}}`}, "", "no file of its directory"},
		{"missing shard", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"x.bin"}}`}, "", "x.bin, which is missing"},
		{"missing tensor", map[string]string{"pytorch_model.bin.index.json": `{"weight_map":{"a":"x.bin"}}`, "x.bin": "1"}, "", `tensor "a"`},
		{"index that is none", map[string]string{"pytorch_model.bin.index.json": `[]`}, "", "no JSON of an index"},
		{"empty index", map[string]string{"pytorch_model.bin.index.json": `{}`}, "", "names no shards"},
		{"nothing", map[string]string{"readme.md": "x"}, "", "not a weight file"},
	} {
		m, err := Open(tree(t, c.files), fake)
		switch {
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%s: error %v does not say %q", c.name, err, c.wrong)
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.wrong == "":
			if got := show(m); got != c.want {
				t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
			}
			m.Close()
		}
	}
}

// The Hub's cache has links from a snapshot to blobs beside it.
func TestHubCache(t *testing.T) {
	dir := tree(t, map[string]string{
		"blobs/abc": "weights", "blobs/def": "{}",
		"snapshots/1234/model.safetensors": "-> ../../blobs/abc",
		"snapshots/1234/config.json":       "-> ../../blobs/def",
	})
	m, err := Open(filepath.Join(dir, "snapshots", "1234"), fake)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := show(m); got != "model.safetensors=model.safetensors +config.json" {
		t.Error(got)
	}
}
