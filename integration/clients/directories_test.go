package clients

import (
	"testing"

	"wfs/integration/harness"
)

// TestDirectories mounts directories with more in them than a model: the state of
// accelerate, an adapter, a LoRA or a value head beside the weights, parts of the Hub's
// cache, weights by a name of one's own. Each is loaded by its library, from the source and
// from the mount, and is the same.
func TestDirectories(t *testing.T) {
	var cases []struct {
		Name   string `json:"name"`
		Client string `json:"client"`
		Source string `json:"source"`
		Like   string `json:"like"`
		Mount  string `json:"mount"`
	}
	harness.Python(t, harness.Torch, "write_directories.py", nil, &cases, t.TempDir())
	for i := range cases {
		cases[i].Mount = harness.Mount(t, cases[i].Source)
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_directories.py", cases, &problems)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { harness.Verified(t, problems, c.Name) })
	}
}
