package integration

import "testing"

// TestEverything mounts what is no plain state dict: whole models whose classes are
// gone, checkpoints of a training, TorchScript, legacy and tar files, plain pickles,
// every rebuild function. torch says what each view should hold.
func TestEverything(t *testing.T) {
	var cases []map[string]any
	python(t, "torch", "write_everything.py", nil, &cases, t.TempDir())
	if len(cases) < 25 {
		t.Fatalf("%d files were written", len(cases))
	}
	for _, c := range cases {
		c["mount"] = mount(t, c["source"].(string))
	}
	var problems map[string][]string
	python(t, "torch", "verify_everything.py", cases, &problems)
	for _, c := range cases {
		name := c["name"].(string)
		t.Run(name, func(t *testing.T) { verified(t, problems, name) })
	}
}
