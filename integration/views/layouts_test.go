package views

import (
	"testing"

	"wfs/integration/harness"
)

// TestLayouts mounts directories whose weights lie in subdirectories.
func TestLayouts(t *testing.T) {
	var models []harness.Model
	harness.Python(t, harness.Torch, "write_layouts.py", nil, &models, t.TempDir())
	for i := range models {
		models[i].Mount = harness.Mount(t, models[i].Source)
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_layouts.py", models, &problems)
	for _, m := range models {
		t.Run(m.Name, func(t *testing.T) {
			harness.Verified(t, problems, m.Name)
			var views []string
			for view := range m.Views {
				views = append(views, view)
			}
			harness.CheckWeights(t, m.Mount, views)
			harness.CheckPassedThrough(t, m.Source, m.Mount)
		})
	}
}
