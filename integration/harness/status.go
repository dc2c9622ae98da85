package harness

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// IsMounted reports whether something is mounted exactly there. It reads the kernel's
// list and never touches the mountpoint, which may be dead.
func IsMounted(mountpoint string) bool {
	_, _, ok := MountInfo(mountpoint)
	return ok
}

// MountInfo is the file system's type and device string of a mountpoint.
func MountInfo(mountpoint string) (fstype, device string, ok bool) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", "", false
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for _, line := range strings.Split(string(b), "\n") {
		before, after, found := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if found && len(fields) > 4 && len(rest) > 1 && unescape.Replace(fields[4]) == mountpoint {
			return rest[0], unescape.Replace(rest[1]), true
		}
	}
	return "", "", false
}

// Status is what `wfs status --json` says of a mount.
type Status struct {
	Mountpoint, Source   string
	Alive                bool
	PID                  int
	Bytes, Prefetched    int64
	Reads, Opens, Errors int64
	Started              time.Time
}

// StatusOf asks for the status of a mount.
func StatusOf(t testing.TB, mountpoint string) Status {
	t.Helper()
	return StatusIn(t, WFS(t, "status", "--json"), mountpoint)
}

// StatusIn finds a mount in what `wfs status --json` printed.
func StatusIn(t testing.TB, r Result, mountpoint string) Status {
	t.Helper()
	var all []Status
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil || r.Code != 0 {
		t.Fatalf("status --json: exit code %d, %v\n%s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	for _, s := range all {
		if s.Mountpoint == mountpoint {
			return s
		}
	}
	t.Fatalf("status does not show %s:\n%s", mountpoint, r.Stdout)
	return Status{}
}
