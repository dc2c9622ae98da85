package clients

import (
	"testing"

	"wfs/integration/harness"
)

// TestVision loads models with open_clip and timm from their directories and from mounts.
func TestVision(t *testing.T) {
	var cases []struct {
		Name    string `json:"name"`
		Source  string `json:"source"`
		Weights string `json:"weights"`
		Mount   string `json:"mount"`
	}
	harness.Python(t, harness.Extra, "vision.py", nil, &cases, "write", t.TempDir())
	if len(cases) < 2 {
		t.Fatalf("%d models were written", len(cases))
	}
	for i := range cases {
		cases[i].Mount = harness.Mount(t, cases[i].Source)
	}
	var problems map[string][]string
	harness.Python(t, harness.Extra, "vision.py", cases, &problems, "verify")
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { harness.Verified(t, problems, c.Name) })
	}
}
