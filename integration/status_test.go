package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mountStatus is what wfs status --json says of a mount.
type mountStatus struct {
	Mountpoint, Source          string
	Alive                       bool
	PID                         int
	Bytes, Reads, Opens, Errors int64
	Started                     time.Time
}

func statusOf(t testing.TB, mountpoint string) mountStatus {
	t.Helper()
	return statusIn(t, wfs(t, "status", "--json"), mountpoint)
}

func statusIn(t testing.TB, r result, mountpoint string) mountStatus {
	t.Helper()
	var all []mountStatus
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || r.code != 0 {
		t.Fatalf("status --json: exit code %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	for _, s := range all {
		if s.Mountpoint == mountpoint {
			return s
		}
	}
	t.Fatalf("status does not show %s:\n%s", mountpoint, r.stdout)
	return mountStatus{}
}

// TestStatus follows a mount through its life: fresh, read, failing, dead.
func TestStatus(t *testing.T) {
	source := large(t)
	before := time.Now()
	m := mountAt(t, source, filepath.Join(t.TempDir(), "mnt"))
	s := statusOf(t, m.path)
	if !s.Alive || s.PID != m.pid || s.Source != source || s.Bytes != 0 || s.Errors != 0 || s.Started.Before(before.Add(-time.Second)) || s.Started.After(time.Now()) {
		t.Errorf("a fresh mount: %+v", s)
	}
	readFile(t, tensorFile(m.path, 0))
	if s := statusOf(t, m.path); s.Bytes < 4<<20 || s.Reads == 0 || s.Opens != 1 || s.Errors != 0 {
		t.Errorf("a mount that was read: %+v", s)
	}
	must(t, os.Truncate(source, 1<<20))
	if _, err := os.ReadFile(tensorFile(m.path, 1)); err == nil {
		t.Error("a truncated source reads")
	}
	if s := statusOf(t, m.path); s.Errors == 0 {
		t.Errorf("a mount whose source is truncated: %+v", s)
	}
	for _, want := range []string{strconv.Itoa(m.pid), "dead"} {
		if want == "dead" {
			must(t, syscall.Kill(m.pid, syscall.SIGKILL))
			eventually(30*time.Second, func() bool { return len(daemons(m.path)) == 0 })
		}
		var line []string
		for _, l := range strings.Split(wfs(t, "status").stdout, "\n") {
			if strings.HasPrefix(l, m.path+" ") {
				line = strings.Fields(l)
			}
		}
		if len(line) < 3 || line[1] != source || line[2] != want {
			t.Errorf("status shows %q, want %s", line, want)
		}
	}
	if s := statusOf(t, m.path); s.Alive || s.PID != 0 {
		t.Errorf("a mount whose daemon was killed: %+v", s)
	}
}
