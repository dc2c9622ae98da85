package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// result is what a command that ended left behind.
type result struct {
	stdout, stderr string
	code           int
}

// execute runs a command to its end. A daemon that it leaves must not hold the
// command's output open: whoever runs `wfs mount` in a pipe would wait for it.
func execute(t testing.TB, limit time.Duration, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
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
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// wfs runs the binary with args.
func wfs(t testing.TB, args ...string) result {
	t.Helper()
	return execute(t, time.Minute, exec.Command(binary, args...))
}

// refused checks that the binary refuses args as it should refuse anything: exit
// code 1 and one line on stderr that begins "wfs: " and holds each of words.
func refused(t testing.TB, args []string, words ...string) {
	t.Helper()
	refusedTo(t, exec.Command(binary, args...), words...)
}

// refusedTo is refused for a command of one's own.
func refusedTo(t testing.TB, cmd *exec.Cmd, words ...string) {
	t.Helper()
	r := execute(t, time.Minute, cmd)
	if r.code != 1 {
		t.Errorf("%s: exit code %d, want 1", cmd, r.code)
	}
	checkOneLine(t, r, words...)
}

func checkOneLine(t testing.TB, r result, words ...string) {
	t.Helper()
	line, more, _ := strings.Cut(r.stderr, "\n")
	if !strings.HasPrefix(line, "wfs: ") || more != "" {
		t.Errorf("stderr is not one line that begins \"wfs: \":\n%s", r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(line, word) {
			t.Errorf("stderr does not say %q:\n%s", word, r.stderr)
		}
	}
}

// verified fails the test with the problems that a script found with the case name, or
// when it did not look.
func verified(t *testing.T, problems map[string][]string, name string) {
	t.Helper()
	found, checked := problems[name]
	if !checked {
		t.Fatal("not checked")
	}
	for _, problem := range found {
		t.Error(problem)
	}
}

// python runs a script of py/ in an environment. Where in is not nil the script
// reads it as JSON from its stdin; where out is not nil it writes JSON to its stdout.
func python(t testing.TB, env, script string, in, out any, args ...string) {
	t.Helper()
	pythonWithin(t, 10*time.Minute, env, script, in, out, args...)
}

func pythonWithin(t testing.TB, limit time.Duration, env, script string, in, out any, args ...string) {
	t.Helper()
	args = append([]string{filepath.Join(root, "integration", "py", script)}, args...)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter(env), args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "HF_HUB_OFFLINE=1", "TOKENIZERS_PARALLELISM=false")
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = bytes.NewReader(b)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, stdout.String(), stderr.String())
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, stdout.String(), stderr.String())
	}
}
