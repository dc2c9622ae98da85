package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cgroup is a memory control group, of version 1 or 2.
type cgroup struct{ dir, usage, limit string }

// newCgroup makes one, or returns nil where this process may not.
func newCgroup(t testing.TB) *cgroup {
	t.Helper()
	name := "wfs-test-" + strconv.Itoa(os.Getpid())
	for _, g := range []cgroup{
		{"/sys/fs/cgroup/memory/" + name, "memory.usage_in_bytes", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup/" + name, "memory.current", "memory.max"},
	} {
		if os.Mkdir(g.dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { eventually(30*time.Second, func() bool { return os.Remove(g.dir) == nil }) })
		if _, err := os.Stat(filepath.Join(g.dir, g.limit)); err == nil {
			return &g
		}
	}
	return nil
}

// add moves a process into the group.
func (g *cgroup) add(t testing.TB, pid int) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644))
}

// squeeze allows so much more memory than is used now.
func (g *cgroup) squeeze(t testing.TB, more int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(g.dir, g.usage))
	must(t, err)
	used, err := strconv.Atoi(strings.TrimSpace(string(b)))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.Itoa(used+more)), 0o644))
}
