package formats

import (
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// copyCase is a source of write_copies.py.
type copyCase struct {
	Name      string   `json:"name"`
	Source    string   `json:"source"`
	Files     []string `json:"files"`
	Root      string   `json:"root"`
	Copy      string   `json:"copy"`
	Directory string   `json:"directory"`
}

// TestCopies copies sources to a file each, shards merged, and to a directory each, and
// compares what safetensors loads of them with what torch loads of the source.
func TestCopies(t *testing.T) {
	var cases []copyCase
	harness.Python(t, harness.Torch, "write_copies.py", nil, &cases, t.TempDir())
	dir := t.TempDir()
	for i := range cases {
		c := &cases[i]
		c.Copy, c.Directory = filepath.Join(dir, c.Name+".safetensors"), filepath.Join(dir, c.Name+".d")
		for _, dest := range []string{c.Copy, c.Directory} {
			if r := harness.WFS(t, "cp", "--verify", "--no-sync", c.Source, dest); r.Code != 0 {
				t.Fatal(r.Stderr)
			}
		}
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_copies.py", cases, &problems)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { harness.Verified(t, problems, c.Name) })
	}
}
