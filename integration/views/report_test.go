package views

import (
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// TestReportStats compares what wfs report tells of values with what torch computes of them.
func TestReportStats(t *testing.T) {
	dir := t.TempDir()
	source, page := filepath.Join(dir, "model.pt"), filepath.Join(dir, "page.html")
	harness.Python(t, harness.Torch, "verify_report.py", nil, nil, "write", source)
	if r := harness.WFS(t, "report", "--stats", "-o", page, source); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	var problems []string
	harness.Python(t, harness.Torch, "verify_report.py", nil, &problems, "check", source, page)
	for _, p := range problems {
		t.Error(p)
	}
}
