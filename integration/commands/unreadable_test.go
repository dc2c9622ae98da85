package commands

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestUnreadable has a directory of which a user may not read everything: what may be
// read is shown, unless it is the weights.
func TestUnreadable(t *testing.T) {
	dir := harness.Dir(t, "unreadable")
	harness.Must(t, os.MkdirAll(filepath.Join(dir, "private"), 0o755))
	weights := filepath.Join(dir, "pytorch_model.bin")
	harness.Must(t, os.WriteFile(weights, harness.ReadFile(t, harness.Small(t)), 0o644))
	harness.Must(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o000))
	harness.Must(t, os.Chmod(filepath.Join(dir, "private"), 0))
	defer os.Chmod(filepath.Join(dir, "private"), 0o755)
	harness.Must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	harness.Must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	harness.Must(t, err)
	defer listener.Close()

	r := harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "ls", dir))
	if r.Code != 0 {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
	for _, note := range []string{"config.json cannot be read", "private cannot be read", "dangling is a link to a file that is not there"} {
		if !strings.Contains(r.Stderr, "wfs: note: "+note+": it is left out\n") {
			t.Errorf("it does not say: %s\n%s", note, r.Stderr)
		}
	}
	if lines := strings.Count(r.Stderr, "\n"); lines != 3 {
		t.Errorf("%d notes:\n%s", lines, r.Stderr)
	}
	harness.Must(t, os.Chmod(weights, 0))
	r = harness.Run(t, time.Minute, harness.AsNobody(t, harness.Binary(), "ls", dir))
	if r.Code != 1 {
		t.Errorf("weights that may not be read: exit code %d", r.Code)
	}
	harness.CheckOneLine(t, r, "pytorch_model.bin", "permission denied")
}
