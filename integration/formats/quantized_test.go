package formats

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wfs/formats"
	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/integration/harness"
)

// TestQuantized copies checkpoints that the libraries of quantization wrote, with --dequantize
// for each dtype, and compares every weight with what those libraries compute. transformers then
// loads such views of models that it quantized.
func TestQuantized(t *testing.T) {
	dir := t.TempDir()
	harness.Python(t, harness.Quant, "write_quantized.py", nil, nil, dir)
	var written []string
	list, err := os.ReadFile(filepath.Join(dir, "written.json"))
	harness.Must(t, err)
	harness.Must(t, json.Unmarshal(list, &written))
	compared := map[string]int{}
	for _, name := range written {
		for _, to := range []string{"bf16", "f16", "f32"} {
			t.Run(name+" to "+to, func(t *testing.T) {
				format, _, _ := strings.Cut(name, "-")
				compared[format] += compareQuantized(t, filepath.Join(dir, name), to)
			})
		}
	}
	for _, format := range []string{"gptq", "awq", "fp8", "bnb", "compressed", "mxfp4", "modelopt", "torchao"} {
		if n := compared[format] / 3; n < 100 {
			t.Errorf("%d weights of %s were compared", n, format)
		}
	}
	views := map[string][]string{}
	for _, name := range []string{"model-bnb", "model-fp8"} {
		views[name] = []string{harness.Mount(t, filepath.Join(dir, name), "--dequantize"), filepath.Join(dir, name+".expected")}
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_quantized.py", views, &problems)
	for name := range views {
		t.Run("transformers loads "+name, func(t *testing.T) { harness.Verified(t, problems, name) })
	}
}

// compareQuantized copies one checkpoint, and tells how many weights were compared.
func compareQuantized(t *testing.T, dir, to string) int {
	out := filepath.Join(t.TempDir(), "out.safetensors")
	if r := harness.WFS(t, "cp", "--no-sync", "--dequantize="+to, dir, out); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	defer os.Remove(out)
	source, got := tensorsOf(t, filepath.Join(dir, "model.safetensors")), tensorsOf(t, out)
	want := tensorsOf(t, filepath.Join(dir, "expected-"+to+".safetensors"))
	for key, w := range want {
		g := got[key]
		switch {
		case g == nil:
			t.Errorf("%s is not there", key)
		case g.DType != w.DType || !slices.Equal(g.Shape, w.Shape):
			t.Errorf("%s is %s %v, want %s %v", key, g.DType, g.Shape, w.DType, w.Shape)
		default:
			if problem := differ(contents(t, g), contents(t, w), w.DType); problem != "" {
				t.Errorf("%s %v: %s", key, w.Shape, problem)
			}
		}
	}
	for key, g := range got { // what was plain is as it was, and nothing else is there
		if want[key] != nil {
			continue
		}
		s := source[key]
		if s == nil || !strings.HasSuffix(key, "bias") && !strings.HasSuffix(key, "norm.weight") || g.DType != s.DType || string(contents(t, g)) != string(contents(t, s)) {
			t.Errorf("%s %s is there", key, g.DType)
		}
	}
	return len(want)
}

// tensorsOf are the tensors of a file by their keys.
func tensorsOf(t *testing.T, path string) map[string]*checkpoint.Tensor {
	t.Helper()
	m, err := formats.Open(path)
	harness.Must(t, err)
	t.Cleanup(func() { m.Close() })
	tensors := map[string]*checkpoint.Tensor{}
	for _, s := range m.Shards() {
		for _, tensor := range s.Tensors {
			tensors[tensor.Key] = tensor
		}
	}
	return tensors
}

func contents(t *testing.T, tensor *checkpoint.Tensor) []byte {
	t.Helper()
	b := make([]byte, tensor.Data.Size())
	harness.Must(t, segment.ReadFull(tensor.Data, b, 0))
	return b
}
