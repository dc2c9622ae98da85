package harness

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Checkpoint is a file that a script of integration/py wrote. Root is the prefix that the
// view takes away, Mount is where the test mounted it.
type Checkpoint struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Root   string `json:"root"`
	Mount  string `json:"mount"`
}

// Model is a model directory that a script of integration/py wrote. Its weights in the
// mount are named by Expect, where transformers loads it, or by Views, each with the file
// that it stands for.
type Model struct {
	Name   string            `json:"name"`
	Source string            `json:"source"`
	Mount  string            `json:"mount"`
	Auto   string            `json:"auto"`
	Logits string            `json:"logits"`
	Expect []string          `json:"expect"`
	Views  map[string]string `json:"views"`
}

// CheckWeights checks that the weights in a mount are exactly these: clients glob, and
// break on a second form.
func CheckWeights(t testing.TB, mount string, want []string) {
	t.Helper()
	var got []string
	for name := range Files(t, mount) {
		if strings.Contains(name, ".safetensors") || strings.HasSuffix(name, ".bin") && !strings.HasPrefix(name, "raw/") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("weights in the mount:\n%q, want\n%q", got, want)
	}
}

// CheckPassedThrough compares everything in a source directory that is not weights with
// what the mount shows of it.
func CheckPassedThrough(t testing.TB, source, mount string) {
	t.Helper()
	compared := 0
	for name := range Files(t, source) {
		if strings.HasSuffix(name, ".bin") || strings.HasSuffix(name, ".bin.index.json") {
			continue
		}
		want, err := os.ReadFile(filepath.Join(source, name))
		Must(t, err)
		got, err := os.ReadFile(filepath.Join(mount, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not passed through as it is: %v", name, err)
		}
		compared++
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
}
