package formats

import (
	"testing"

	"wfs/integration/harness"
)

// TestEverything mounts what is no plain state dict: whole models whose classes are
// gone, checkpoints of a training, TorchScript, legacy and tar files, plain pickles,
// every rebuild function. torch says what each view should hold.
func TestEverything(t *testing.T) {
	var cases []map[string]any
	harness.Python(t, harness.Torch, "write_everything.py", nil, &cases, t.TempDir())
	if len(cases) < 25 {
		t.Fatalf("%d files were written", len(cases))
	}
	for _, c := range cases {
		c["mount"] = harness.Mount(t, c["source"].(string))
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_everything.py", cases, &problems)
	for _, c := range cases {
		name := c["name"].(string)
		t.Run(name, func(t *testing.T) { harness.Verified(t, problems, name) })
	}
}
