package harness

import (
	"os/exec"
	"testing"
)

// Strace is a command under strace, which writes the calls that the filter names, of all
// threads and children, to log. It logs the end of a process too: without that, strace
// cuts the last call of a thread short in one more way.
func Strace(t testing.TB, log, filter string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatalf("%v: run `make system`", err)
	}
	return exec.Command("strace", append([]string{"-f", "-q", "-o", log, "-e", "trace=" + filter}, args...)...)
}
