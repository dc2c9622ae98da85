package commands

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestStatus follows a mount through its life: fresh, read, failing, dead.
func TestStatus(t *testing.T) {
	source := harness.Large(t)
	before := time.Now()
	m := harness.MountAt(t, source, harness.Mountpoint(t))
	s := harness.StatusOf(t, m.Path)
	if !s.Alive || s.PID != m.PID || s.Source != source || s.Bytes != 0 || s.Errors != 0 || s.Started.Before(before.Add(-time.Second)) || s.Started.After(time.Now()) {
		t.Errorf("a fresh mount: %+v", s)
	}
	harness.ReadFile(t, harness.TensorFile(m.Path, 0))
	if s := harness.StatusOf(t, m.Path); s.Bytes < 4<<20 || s.Reads == 0 || s.Opens != 1 || s.Errors != 0 {
		t.Errorf("a mount that was read: %+v", s)
	}
	harness.Must(t, os.Truncate(source, 1<<20))
	if _, err := os.ReadFile(harness.TensorFile(m.Path, 1)); err == nil {
		t.Error("a truncated source reads")
	}
	if s := harness.StatusOf(t, m.Path); s.Errors == 0 {
		t.Errorf("a mount whose source is truncated: %+v", s)
	}
	for _, want := range []string{strconv.Itoa(m.PID), "dead"} {
		if want == "dead" {
			harness.Must(t, syscall.Kill(m.PID, syscall.SIGKILL))
			harness.Eventually(30*time.Second, func() bool { return len(harness.Daemons(m.Path)) == 0 })
		}
		var line []string
		for _, l := range strings.Split(harness.WFS(t, "status").Stdout, "\n") {
			if strings.HasPrefix(l, m.Path+" ") {
				line = strings.Fields(l)
			}
		}
		if len(line) < 3 || line[1] != source || line[2] != want {
			t.Errorf("status shows %q, want %s", line, want)
		}
	}
	if s := harness.StatusOf(t, m.Path); s.Alive || s.PID != 0 {
		t.Errorf("a mount whose daemon was killed: %+v", s)
	}
}
