package huggingface

import (
	"path/filepath"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// TestIndexFile opens index files by themselves: their shards, and nothing else.
func TestIndexFile(t *testing.T) {
	dir := tree(t, map[string]string{
		"pytorch_model.bin.index.json": `{"metadata":{},"weight_map":{"pytorch_model-1":"pytorch_model-1.bin"}}`, "pytorch_model-1.bin": "",
		"model.safetensors.index.fp16.json": `{"weight_map":{"a":"a.safetensors"}}`, "a.safetensors": "",
		"tf_model.h5.index.json": `{"weight_map":{"bert/tf_model-1":"tf_model-1.h5"}}`, "tf_model-1.h5": "",
		"my.weights.json": `{"weight_map":{"/a":["my_00000.weights.h5"]}}`, "my_00000.weights.h5": "",
		"only.index.json": `{"weight_map":{"only-1":"only-1.bin"}}`, "only-1.bin": "",
		"bad.bin.index.json": `{}`, "config.json": "{}", "text.json": "weight_map",
	})
	in, err := source.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"pytorch_model.bin.index.json":      "model-1.safetensors=pytorch_model-1.bin model.safetensors.index.json",
		"model.safetensors.index.fp16.json": "a.safetensors=a.safetensors model.safetensors.index.json",
		"tf_model.h5.index.json":            "model-1.safetensors=tf_model-1.h5 model.safetensors.index.json",
		"my.weights.json":                   "my-00001-of-00001.safetensors=my_00000.weights.h5 my.safetensors.index.json",
		"only.index.json":                   "only-1.safetensors=only-1.bin only.safetensors.index.json",
		"bad.bin.index.json":                "it names no shards", "config.json": "", "text.json": "", "gone.bin.index.json": "",
	} {
		p := checkpoint.Place{Dir: in, Name: name}
		if match := IndexFormat().Detect(p); match != checkpoint.Certain {
			if want != "" {
				t.Errorf("%s is not taken for an index", name)
			}
			continue
		}
		m, err := openIndex(p, fake)
		if err != nil {
			if want == "" || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), filepath.Join(dir, name)) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := show(m); got != want || m.Path != filepath.Join(dir, name) {
			t.Errorf("%s is %s: %s, want %s", name, m.Path, got, want)
		}
		m.Close()
	}
}

// TestSecondSet has weights beside a model that cannot be read: they are passed through.
func TestSecondSet(t *testing.T) {
	dir := tree(t, map[string]string{"model.safetensors": "x", "adapter_model.bin": "not weights", "adapter_model.safetensors.index.json": "x"})
	m, err := openDir(dir, func(dir source.Dir, path string) (*checkpoint.Checkpoint, error) {
		if strings.HasPrefix(path, "adapter") {
			return nil, checkpoint.ErrUnknownFormat
		}
		return fake(dir, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := show(m); got != "model.safetensors=model.safetensors +adapter_model.bin +adapter_model.safetensors.index.json" {
		t.Error(got)
	}
	if len(m.Notes) != 1 || !strings.Contains(m.Notes[0], "adapter_model.safetensors.index.json is passed through as it is") {
		t.Errorf("notes %q", m.Notes)
	}
}

// TestNoteLength has names that a terminal would obey, and more than a line holds.
func TestNoteLength(t *testing.T) {
	files := map[string]string{"model.safetensors": "x", "onnx/\x1b[31m\n.onnx": ""}
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		files["onnx/"+strings.Repeat(string(c), 200)+".onnx"] = ""
	}
	m, err := openDir(tree(t, files), fake)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if len(m.Notes) != 1 || len(m.Notes[0]) > 4096 || strings.Contains(m.Notes[0], "\x1b") || !strings.Contains(m.Notes[0], `"onnx/\x1b[31m\n.onnx"`) || !strings.Contains(m.Notes[0], "and 17 more") {
		t.Errorf("notes %q", m.Notes)
	}
}
