package formats

import (
	"encoding/json"
	"slices"
	"testing"

	"wfs/integration/harness"
)

// verdictOf is what wfs scan says of a file: the worst, and "nothing" where there is
// nothing to unpickle.
func verdictOf(t *testing.T, source string) (verdict, output string) {
	t.Helper()
	r := harness.WFS(t, "scan", "--json", source)
	var report struct {
		Verdict string `json:"verdict"`
		Nothing bool   `json:"nothing_to_unpickle"`
	}
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		return "error", r.Stderr
	}
	code := map[string]int{"allowed": 0, "unknown": 2, "dangerous": 3}[report.Verdict]
	if r.Code != code {
		t.Errorf("%s: exit code %d of what is %s", source, r.Code, report.Verdict)
	}
	if report.Nothing {
		return "nothing", r.Stdout
	}
	return report.Verdict, r.Stdout
}

// TestPacked scans pickles in compressed streams of every kind, as Python's own libraries and
// joblib write them: alone, in a row, in each other and in other pickles.
func TestPacked(t *testing.T) {
	checkVerdicts(t, harness.Extra, "write_packed.py", 200)
}

// TestHDF5Texts scans pickles and configurations in HDF5 files and in what Keras writes.
func TestHDF5Texts(t *testing.T) {
	checkVerdicts(t, harness.Keras, "write_texts.py", 30)
}

func checkVerdicts(t *testing.T, environment, script string, least int) {
	t.Helper()
	var cases []struct {
		Name, Source string
		Verdicts     []string
	}
	harness.Python(t, environment, script, nil, &cases, t.TempDir())
	if len(cases) < least {
		t.Fatalf("%d files were written", len(cases))
	}
	for _, c := range cases {
		if verdict, output := verdictOf(t, c.Source); !slices.Contains(c.Verdicts, verdict) {
			t.Errorf("%s: %s, want %s\n%.1000s", c.Name, verdict, c.Verdicts, output)
		}
	}
}
