package integration

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// workers are what a process of this test binary does where a test needs real processes
// and not goroutines: by name, a function of the arguments that prints its result.
var workers = map[string]func(args []string) error{}

// workerMark tells the test binary that it is a worker.
const workerMark = "WFS_WORKER"

// runWorker is the whole of a worker process. It says that it is ready, and begins
// when its stdin is closed.
func runWorker() int {
	os.Stdout.WriteString("ready\n")
	io.Copy(io.Discard, os.Stdin)
	if err := workers[os.Getenv(workerMark)](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// worker is a process that is ready.
type worker struct {
	*exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	stderr *os.File
}

// workerBinary is a copy of the test binary that every user may run.
var workerBinary = sync.OnceValues(func() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(own)
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(binary), "worker")
	return path, os.WriteFile(path, b, 0o755)
})

// startWorker starts a process that waits for the word to begin.
func startWorker(t testing.TB, name string, args ...string) *worker {
	t.Helper()
	exe, err := workerBinary()
	must(t, err)
	return startWorkerAs(t, exec.Command(exe, args...), name)
}

func startWorkerAs(t testing.TB, cmd *exec.Cmd, name string) *worker {
	t.Helper()
	w := &worker{Cmd: cmd}
	cmd.Env = append(os.Environ(), workerMark+"="+name)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	w.stderr, err = os.CreateTemp(t.TempDir(), "stderr")
	must(t, err)
	cmd.Stderr = w.stderr
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); w.stderr.Close() })
	w.stdin, w.stdout = stdin, bufio.NewReader(stdout)
	if line, err := w.stdout.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("worker %s: %q, %v\n%s", name, line, err, w.errors())
	}
	return w
}

// begin lets the worker begin.
func (w *worker) begin() { w.stdin.Close() }

// end waits for the worker and returns what it printed.
func (w *worker) end() (string, error) {
	out, err := io.ReadAll(w.stdout)
	if e := w.Wait(); e != nil {
		err = fmt.Errorf("%w\n%s", e, w.errors())
	}
	return string(out), err
}

func (w *worker) errors() string {
	b, _ := os.ReadFile(w.stderr.Name())
	return string(b[:min(len(b), 4096)])
}
