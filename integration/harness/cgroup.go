package harness

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cgroup is a memory control group, of version 1 or 2.
type Cgroup struct{ dir, usage, limit string }

// NewCgroup makes one for the time of a test, or returns nil where this process may not.
func NewCgroup(t testing.TB) *Cgroup {
	t.Helper()
	name := "wfs-test-" + strconv.Itoa(os.Getpid())
	for _, g := range []Cgroup{
		{"/sys/fs/cgroup/memory/" + name, "memory.usage_in_bytes", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup/" + name, "memory.current", "memory.max"},
	} {
		if os.Mkdir(g.dir, 0o755) != nil {
			continue
		}
		remove := func() { Eventually(30*time.Second, func() bool { return os.Remove(g.dir) == nil }) }
		done := onInterrupt(remove)
		t.Cleanup(func() { remove(); done() })
		if _, err := os.Stat(filepath.Join(g.dir, g.limit)); err == nil {
			return &g
		}
	}
	return nil
}

// Add moves a process into the group.
func (g *Cgroup) Add(t testing.TB, pid int) {
	t.Helper()
	Must(t, os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644))
}

// Squeeze allows so many bytes more than are used now.
func (g *Cgroup) Squeeze(t testing.TB, more int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, g.usage))
	Must(t, err)
	used, err := strconv.Atoi(strings.TrimSpace(string(b)))
	Must(t, err)
	Must(t, os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.Itoa(used+more)), 0o644))
}
