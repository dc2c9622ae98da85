package huggingface

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestHubCache opens what people name of the Hub's cache: a snapshot, a part of one, the
// repository, and a directory with links into it.
func TestHubCache(t *testing.T) {
	const blob = "0123456789abcdef0123456789abcdef01234567"
	top := tree(t, map[string]string{
		"models--a--b/blobs/" + blob: "weights", "models--a--b/blobs/def": "{}", "models--a--b/refs/main": "1234\n",
		"models--a--b/snapshots/1234/model.safetensors":      "-> ../../blobs/" + blob,
		"models--a--b/snapshots/1234/config.json":            "-> ../../blobs/def",
		"models--a--b/snapshots/1234/unet/model.safetensors": "-> ../../../blobs/" + blob,
		"models--a--b/snapshots/0000/pytorch_model.bin":      "old",
		"local/model.safetensors":                            "-> ../models--a--b/blobs/" + blob,
		"local/config.json":                                  "-> ../models--a--b/blobs/def",
		"one/snapshots/1/pytorch_model.bin":                  "x", "one/blobs/x": "", "one/refs/v1": "1",
		"two/snapshots/1/pytorch_model.bin": "x", "two/snapshots/2/pytorch_model.bin": "x", "two/refs/main": "3",
		"dots/snapshots/1/pytorch_model.bin": "x", "dots/snapshots/2/x": "", "dots/refs/main": "../../one/snapshots/1",
		"none/refs/main": "3", "none/snapshots/x.txt": "",
		"gone/blobs/x": "", "gone/snapshots/1/model.safetensors": "-> ../../blobs/000", "gone/snapshots/1/config.json": "-> ../../blobs/001",
		"afar/x/snapshots/1/model.safetensors": "-> ../../../../one/snapshots/1/pytorch_model.bin",
	})
	for path, want := range map[string]string{
		"models--a--b/snapshots/1234":      "model.safetensors=model.safetensors unet/model.safetensors=model.safetensors +config.json",
		"models--a--b/snapshots/1234/unet": "model.safetensors=model.safetensors",
		"models--a--b":                     "model.safetensors=model.safetensors unet/model.safetensors=model.safetensors +config.json",
		"local":                            "model.safetensors=model.safetensors", // blobs of that name are not the Hub's
		"one":                              "model.safetensors=pytorch_model.bin",
		"two":                              "! refs/main names none of its snapshots: mount one of snapshots/1, snapshots/2",
		"dots":                             "! refs/main names none of its snapshots",
		"none":                             "! without a snapshot",
		"gone":                             "! gone: model.safetensors is a link to a file that is not there",
		"gone/snapshots/1":                 "! gone/snapshots/1: model.safetensors is a link to a file that is not there",
		"afar/x/snapshots/1":               "! afar/x/snapshots/1: model.safetensors is a link that leaves the directory, to TOP/one/snapshots/1/pytorch_model.bin: mount that by itself",
	} {
		m, err := openDir(filepath.Join(top, path), fake)
		if part, ok := strings.CutPrefix(want, "! "); ok {
			if part = strings.ReplaceAll(part, "TOP", top); err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %v, want %q", path, err, part)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := show(m); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if m.Path != filepath.Join(top, path) {
			t.Errorf("%s: its path is %s", path, m.Path)
		}
		if repository := !strings.Contains(path, "/") && path != "local"; repository != (len(m.Notes) > 0 && strings.Contains(m.Notes[0], "shows snapshots/")) {
			t.Errorf("%s: notes %q", path, m.Notes)
		}
		m.Close()
	}
}
