package clients

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"wfs/integration/harness"
)

// TestLoadOften has four processes load models with transformers, whose loader reads
// tensors from several threads at once, each time from a mount that nobody has read:
// twenty loads, and each computes what the model computed that was saved.
func TestLoadOften(t *testing.T) {
	const processes, loads = 4, 20
	var models []harness.Model
	harness.Python(t, harness.Torch, "write_models.py", nil, &models, t.TempDir())
	var cold []harness.Model
	for i := range loads {
		m := models[i%len(models)]
		m.Mount = harness.Mount(t, m.Source, "--layout", "hf")
		m.Name = fmt.Sprint(i)
		cold = append(cold, m)
	}
	var group sync.WaitGroup
	for part := range slices.Chunk(cold, loads/processes) {
		group.Go(func() {
			var problems map[string]string
			harness.Python(t, harness.Torch, "verify_models.py", part, &problems)
			for _, m := range part {
				if problem, checked := problems[m.Name]; problem != "" || !checked {
					t.Errorf("%s: checked %v: %s", m.Source, checked, problem)
				}
			}
		})
	}
	group.Wait()
}
