// Package integration drives the built binary and the programs that people read
// weights with (torch, safetensors, transformers, numpy, …) in processes of their
// own. `make test` installs what it needs.
package integration

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// binary is the wfs that TestMain built; root is the top of the repository.
var binary, root string

func TestMain(m *testing.M) {
	if os.Getenv(workerMark) != "" {
		os.Exit(runWorker())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	var err error
	// What nohup(1) has us ignore, the commands that tests start would ignore too.
	interrupted := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		} else {
			signal.Notify(interrupted, s)
		}
	}
	if root, err = filepath.Abs(".."); err != nil {
		return 0, err
	}
	if _, err := os.Stat(interpreter("torch")); err != nil {
		return 0, fmt.Errorf("%w: run `make test`, or `make system .venv/torch .venv/keras` first", err)
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		return 0, fmt.Errorf("%w: run `make system` first", err)
	}
	dir, err := os.MkdirTemp("", "wfs-integration-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Another user runs the binary too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	binary = filepath.Join(dir, "wfs")
	go func() {
		<-interrupted
		endAll()
		os.RemoveAll(dir)
		os.Exit(1)
	}()
	args, cgo := []string{"build", "-o", binary}, "CGO_ENABLED=0"
	if raceBuild() {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
		if err := os.Setenv("GORACE", "log_path="+raceLog()); err != nil {
			return 0, err
		}
	}
	build := exec.Command("go", append(args, "./cmd/wfs")...)
	build.Dir = root
	build.Env = append(os.Environ(), cgo)
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// interpreter is the Python of an environment that the Makefile made.
func interpreter(env string) string {
	return filepath.Join(root, ".venv", env, "bin", "python")
}
