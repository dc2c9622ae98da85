package harness

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

// workers is what a process of the test binary does where a test needs real processes
// and not goroutines.
var workers = map[string]func(args []string) error{}

// workerMark tells the test binary that it is a worker.
const workerMark = "WFS_WORKER"

// RegisterWorker names a function that [StartWorker] runs in a process of its own. What
// it prints is the worker's result. A test file calls it from init.
func RegisterWorker(name string, work func(args []string) error) { workers[name] = work }

// runWorker is the whole of a worker process. It says that it is ready, and begins when
// its stdin is closed.
func runWorker() int {
	os.Stdout.WriteString("ready\n")
	io.Copy(io.Discard, os.Stdin)
	if err := workers[os.Getenv(workerMark)](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Worker is a process that waits for the word to begin. It is killed when the test ends.
type Worker struct {
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
	path := filepath.Join(filepath.Dir(binaryPath), "worker")
	return path, os.WriteFile(path, b, 0o755)
})

// StartWorker starts the worker of that name.
func StartWorker(t testing.TB, name string, args ...string) *Worker {
	t.Helper()
	return startWorker(t, exec.Command(workerPath(t), args...), workerMark+"="+name)
}

// StartWorkerAsNobody starts the worker of that name as another user.
func StartWorkerAsNobody(t testing.TB, name string, args ...string) *Worker {
	t.Helper()
	// setpriv resets the environment, so the mark is set after it.
	args = append([]string{"env", workerMark + "=" + name, workerPath(t)}, args...)
	return startWorker(t, AsNobody(t, args...))
}

func workerPath(t testing.TB) string {
	t.Helper()
	path, err := workerBinary()
	Must(t, err)
	return path
}

func startWorker(t testing.TB, cmd *exec.Cmd, environment ...string) *Worker {
	t.Helper()
	w := &Worker{Cmd: cmd}
	cmd.Env = append(os.Environ(), environment...)
	stdin, err := cmd.StdinPipe()
	Must(t, err)
	stdout, err := cmd.StdoutPipe()
	Must(t, err)
	w.stderr, err = os.CreateTemp(t.TempDir(), "stderr")
	Must(t, err)
	t.Cleanup(func() { w.stderr.Close() })
	cmd.Stderr = w.stderr
	Start(t, cmd)
	w.stdin, w.stdout = stdin, bufio.NewReader(stdout)
	if line, err := w.ReadLine(); err != nil || line != "ready\n" {
		t.Fatalf("worker %s: %q, %v\n%s", cmd, line, err, w.Errors())
	}
	return w
}

// Begin lets the worker begin.
func (w *Worker) Begin() { w.stdin.Close() }

// ReadLine waits for a line of what the worker prints.
func (w *Worker) ReadLine() (string, error) { return w.stdout.ReadString('\n') }

// End waits for the worker and returns what else it printed.
func (w *Worker) End() (string, error) {
	out, err := io.ReadAll(w.stdout)
	if e := w.Wait(); e != nil {
		err = fmt.Errorf("%w\n%s", e, w.Errors())
	}
	return string(out), err
}

// Errors is the beginning of what the worker has written to stderr.
func (w *Worker) Errors() string {
	b, _ := os.ReadFile(w.stderr.Name())
	return string(b[:min(len(b), 4096)])
}
