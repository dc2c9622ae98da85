package clients

import (
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// TestTransformers loads model directories with from_pretrained, through cold mounts and
// from the copies that wfs cp makes, and compares what they compute with the models that
// they were saved from.
func TestTransformers(t *testing.T) {
	var models []harness.Model
	harness.Python(t, harness.Torch, "write_models.py", nil, &models, t.TempDir())
	for i := range models {
		models[i].Mount = harness.Mount(t, models[i].Source)
		copied := models[i]
		copied.Name, copied.Mount = copied.Name+", copied", filepath.Join(t.TempDir(), "copy")
		if r := harness.WFS(t, "cp", "--no-sync", copied.Source, copied.Mount); r.Code != 0 {
			t.Fatal(r.Stderr)
		}
		models = append(models, copied)
	}
	var problems map[string]string
	harness.Python(t, harness.Torch, "verify_models.py", models, &problems)
	for _, m := range models {
		t.Run(m.Name, func(t *testing.T) {
			if problem, checked := problems[m.Name]; problem != "" || !checked {
				t.Errorf("checked %v: %s", checked, problem)
			}
			if m.Expect != nil {
				harness.CheckWeights(t, m.Mount, m.Expect)
			}
			harness.CheckPassedThrough(t, m.Source, m.Mount)
		})
	}
}
