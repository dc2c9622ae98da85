package formats

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers are the rooms of the house from the ground up: a package imports those of lower
// lines, and of its own line only what allowed names.
var layers = [][]string{
	{"formats/internal/lru", "formats/internal/sequential", "formats/internal/transpose", "formats/keys", "formats/quantity", "formats/segment"},
	{"formats/deflate", "formats/export", "formats/source"},
	{"formats/source/blocks"},
	{"formats/source/http"},
	{"formats/source/hub"},
	{"formats/checkpoint", "formats/zip", "formats/pickle", "formats/hdf5"},
	{"formats/ops/ggml"},
	{"formats/digest", "formats/npy", "formats/ops", "formats/safetensors", "formats/torch", "formats/gguf", "formats/numpy", "formats/keras", "formats/huggingface", "formats/internal/readertest", "formats/internal/toy"},
	{"formats/adapter", "formats/quantized", "formats/rules"},
	{"formats/arrayprint", "formats/slicing", "formats/audit", "formats/diff", "formats/view", "formats"},
	{"formats/report"},
	{"formats/tree"},
	{"formats/serve"},
	{"fs"},
	{"cmd/wfs"},
}

// TestLayers keeps every arrow between packages pointing down: a byte travels up through
// the rooms, and no room knows one above it.
func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "wfs/cmd/...", "wfs/fs/...", "wfs/formats/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	level := map[string]int{}
	for i, line := range layers {
		for _, name := range line {
			level["wfs/"+name] = i + 1
		}
	}
	var seen []string
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		name := imports[0]
		seen = append(seen, name)
		if level[name] == 0 {
			t.Errorf("%s stands in no layer: say here where it belongs", name)
		}
		for _, dep := range imports[1:] {
			switch {
			case strings.HasPrefix(dep, "wfs/") && level[dep] >= level[name] && !strings.HasPrefix(dep, "wfs/formats/internal/"):
				t.Errorf("%s imports %s, which is not below it", name, dep)
			case strings.HasPrefix(dep, "github.com/hanwen/go-fuse") && name != "wfs/fs":
				t.Errorf("%s imports FUSE", name)
			case strings.HasPrefix(dep, "github.com/nlpodyssey/gopickle"):
				t.Errorf("%s imports gopickle, which only tests may", name)
			case name == "wfs/fs" && strings.HasPrefix(dep, "wfs/") && !slices.Contains([]string{"wfs/formats/tree", "wfs/formats/source", "wfs/formats/segment"}, dep):
				t.Errorf("fs imports %s: it serves a tree and knows no format", dep)
			}
		}
	}
	for name := range level {
		if !slices.Contains(seen, name) {
			t.Errorf("%s is not there any more", name)
		}
	}
}
