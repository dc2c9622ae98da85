package formats

import (
	"encoding/json"
	"strings"
	"testing"

	"wfs/integration/harness"
)

// TestUnusual mounts files whose tensors lie where they are easily missed, or that torch
// reads by rules of their own. The view is what torch loads; what it lacks is said in a
// note, and where it lacks nothing there is none.
func TestUnusual(t *testing.T) {
	var cases []map[string]any
	harness.Python(t, harness.Torch, "write_unusual.py", nil, &cases, t.TempDir())
	if len(cases) < 30 {
		t.Fatalf("%d files were written", len(cases))
	}
	for _, c := range cases {
		c["mount"] = harness.Mount(t, c["source"].(string))
	}
	var problems map[string][]string
	harness.Python(t, harness.Torch, "verify_everything.py", cases, &problems)
	for _, c := range cases {
		name := c["name"].(string)
		t.Run(name, func(t *testing.T) {
			harness.Verified(t, problems, name)
			var listed struct{ Notes []string }
			r := harness.WFS(t, "ls", "--json", c["source"].(string))
			harness.Must(t, json.Unmarshal([]byte(r.Stdout), &listed))
			want := c["notes"].([]any)
			for _, part := range want {
				if !strings.Contains(strings.Join(listed.Notes, "\n"), part.(string)) {
					t.Errorf("the notes %q do not say %q", listed.Notes, part)
				}
			}
			if len(listed.Notes) != len(want) {
				t.Errorf("%d notes, want %d: %q", len(listed.Notes), len(want), listed.Notes)
			}
		})
	}
}
