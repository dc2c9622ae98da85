package formats

import (
	"encoding/json"
	"testing"

	"wfs/integration/harness"
)

// TestOrdinary scans what people keep in checkpoints, as the libraries themselves write it:
// none of it is dangerous, and what is on the list of torch's weights_only loader, or plain
// values, is allowed. A few controls are dangerous.
func TestOrdinary(t *testing.T) {
	var cases []struct{ Name, Source, Verdict string }
	harness.Python(t, harness.Torch, "write_ordinary.py", nil, &cases, t.TempDir())
	if len(cases) < 60 {
		t.Fatalf("%d files were written", len(cases))
	}
	codes := map[string]int{"nothing": 0, "allowed": 0, "unknown": 2, "dangerous": 3}
	for _, c := range cases {
		r := harness.WFS(t, "scan", "--json", c.Source)
		var report struct {
			Verdict string `json:"verdict"`
			Nothing bool   `json:"nothing_to_unpickle"`
		}
		if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
			t.Errorf("%s: %v\n%s%s", c.Name, err, r.Stdout, r.Stderr)
			continue
		}
		verdict := report.Verdict
		if report.Nothing {
			verdict = "nothing"
		}
		if r.Code != codes[c.Verdict] || verdict != c.Verdict {
			t.Errorf("%s: exit code %d, %s, want %s\n%s%s", c.Name, r.Code, verdict, c.Verdict, r.Stdout, r.Stderr)
		}
	}
}
