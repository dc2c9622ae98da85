//go:build unix

package huggingface

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestNotes checks what a user is told of a directory.
func TestNotes(t *testing.T) {
	dir := tree(t, map[string]string{
		"model.fp16.safetensors": "x", "tf_model.h5": "h", "a.bin": "", "pytorch_model-00001-of-00002.bin": "", "pytorch_model-00002-of-00002.bin": "", "onnx/model.onnx": "",
		"unet/x.pt": "", "config.json": "-> nowhere", "more": "-> unet", "secret": "-> /etc/hostname",
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := openDir(dir, fake)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := []string{
		"model.fp16.safetensors, the variant fp16, is shown as model.safetensors",
		"config.json is a link to a file that is not there: it is left out",
		"more is a link to a directory: it is left out",
		"secret is a link that leaves the directory, to /etc/hostname: it is left out",
		"hidden, because the view has their tensors: pytorch_model-*-of-00002.bin (2 files), tf_model.h5, onnx/model.onnx",
	}
	if !slices.Equal(m.Notes, want) {
		t.Errorf("notes:\n%s\nwant:\n%s", strings.Join(m.Notes, "\n"), strings.Join(want, "\n"))
	}
}

// TestFIFO puts a FIFO in place of the index and of a shard: opening one would wait forever.
func TestFIFO(t *testing.T) {
	for _, name := range []string{"model.safetensors.index.json", "model.safetensors"} {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := openDir(dir, fake); err == nil || !strings.Contains(err.Error(), "a pipe can be read only once") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
