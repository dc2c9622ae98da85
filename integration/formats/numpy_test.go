package formats

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/formats"
	"wfs/formats/checkpoint"
	"wfs/integration/harness"
)

// TestNumPy compares 1320 random arrays, of all types, orders and versions, in files of their
// own and in .npz, with what numpy reads; and mounts and copies of archives and directories.
func TestNumPy(t *testing.T) {
	t.Parallel()
	type array struct {
		DType string  `json:"dtype"`
		Shape []int64 `json:"shape"`
		Bytes string  `json:"bytes"`
	}
	type source struct {
		Name   string `json:"name"`
		Source string `json:"source"`
		Scan   int    `json:"scan"`
		Mount  string `json:"mount"`
		Copy   string `json:"copy"`
	}
	var written struct {
		Files []struct {
			Path   string           `json:"path"`
			Arrays map[string]array `json:"arrays"`
		} `json:"files"`
		Cases []source `json:"cases"`
	}
	harness.Python(t, harness.Torch, "write_numpy.py", nil, &written, t.TempDir())
	compared := 0
	for _, file := range written.Files {
		m, err := formats.Open(file.Path)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Count() != len(file.Arrays) {
			t.Errorf("%s: %d arrays, want %d", file.Path, m.Count(), len(file.Arrays))
		}
		for _, one := range m.Tensors() {
			want := file.Arrays[one.Key]
			if one.DType.String() != want.DType || checkpoint.ShapeText(one.Shape) != checkpoint.ShapeText(want.Shape) || sumOf(t, one.Data, false) != want.Bytes {
				t.Errorf("%s: %s is %s %v, or has other bytes; want %+v", file.Path, one.Key, one.DType, one.Shape, want)
			}
			compared++
		}
		harness.Must(t, m.Close())
	}
	if compared < 1320 {
		t.Errorf("%d arrays were compared", compared)
	}

	dir := t.TempDir()
	for i := range written.Cases {
		c := &written.Cases[i]
		c.Mount, c.Copy = harness.Mount(t, c.Source), filepath.Join(dir, fmt.Sprint(i, ".safetensors"))
		if r := harness.WFS(t, "cp", "--verify", "--no-sync", c.Source, c.Copy); r.Code != 0 {
			t.Error(r.Stderr)
		}
		if r := harness.WFS(t, "scan", c.Source); r.Code != c.Scan {
			t.Errorf("scan %s: exit code %d, want %d\n%s%s", c.Name, r.Code, c.Scan, r.Stdout, r.Stderr)
		}
		_, err := os.Stat(filepath.Join(c.Mount, "meta", "pickle.txt"))
		if shown := err == nil; shown != (c.Scan > 0 || strings.HasPrefix(c.Name, "a directory")) {
			t.Errorf("%s: meta/pickle.txt is there: %v", c.Name, shown)
		}
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_numpy.py", written.Cases, &problems)
	for _, c := range written.Cases {
		t.Run(c.Name, func(t *testing.T) { harness.Verified(t, problems, c.Name) })
	}
}
