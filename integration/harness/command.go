package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Result is what a command that ended left behind.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command to its end. A daemon that it leaves must not hold the command's
// output open: whoever runs `wfs mount` in a pipe would wait for it.
func Run(t testing.TB, limit time.Duration, cmd *exec.Cmd) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	Must(t, cmd.Start())
	defer onInterrupt(func() { cmd.Process.Kill() })()
	cmd.WaitDelay = 10 * time.Second
	var stacks atomic.Value
	timer := time.AfterFunc(limit, func() {
		stacks.Store(kernelStacks())
		cmd.Process.Signal(syscall.SIGQUIT) // of which Go prints its goroutines
		time.Sleep(time.Second)
		cmd.Process.Kill()
	})
	err := cmd.Wait()
	if !timer.Stop() {
		t.Fatalf("%s ran longer than %v\n%s\n%v", cmd, limit, stderr.String(), stacks.Load())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// WFS runs the binary with args.
func WFS(t testing.TB, args ...string) Result {
	t.Helper()
	return Run(t, time.Minute, Command(args...))
}

// Refused checks that the binary refuses args as it should refuse anything: exit code 1
// and one line on stderr that begins "wfs: " and has each of words.
func Refused(t testing.TB, args []string, words ...string) {
	t.Helper()
	RefusedCommand(t, Command(args...), words...)
}

// RefusedCommand is [Refused] for a command of one's own.
func RefusedCommand(t testing.TB, cmd *exec.Cmd, words ...string) {
	t.Helper()
	r := Run(t, time.Minute, cmd)
	if r.Code != 1 {
		t.Errorf("%s: exit code %d, want 1", cmd, r.Code)
	}
	CheckOneLine(t, r, words...)
}

// CheckOneLine checks that a command said one line on stderr, which begins "wfs: " and
// has each of words.
func CheckOneLine(t testing.TB, r Result, words ...string) {
	t.Helper()
	line, more, _ := strings.Cut(r.Stderr, "\n")
	if !strings.HasPrefix(line, "wfs: ") || more != "" {
		t.Errorf("stderr is not one line that begins \"wfs: \":\n%s", r.Stderr)
	}
	for _, word := range words {
		if !strings.Contains(line, word) {
			t.Errorf("stderr does not say %q:\n%s", word, r.Stderr)
		}
	}
}

// Eventually waits for a condition to hold, and reports whether it did within limit.
func Eventually(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// WaitFor waits for a process to end, however it ends.
func WaitFor(cmd *exec.Cmd, limit time.Duration) error {
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s has not ended after %v", cmd.Path, limit)
	}
}

// Measured is Run, and the most memory in bytes that the command had resident at a time.
func Measured(t testing.TB, limit time.Duration, cmd *exec.Cmd) (r Result, peak int64) {
	t.Helper()
	// The kernel counts what this process had at its peak as the command's, which begins with
	// our memory (fs/exec.c, setmax_mm_hiwater_rss): so that is given back and forgotten first.
	debug.FreeOSMemory()
	Must(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
	r = Run(t, limit, cmd)
	return r, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}
