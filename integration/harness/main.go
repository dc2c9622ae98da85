package harness

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Main is the whole of a package's TestMain: it builds the binaryPath, runs the tests and
// exits. The package fails where one of the Python environments that it names is
// missing. With -short it runs no test.
func Main(m *testing.M, environments ...string) {
	if os.Getenv(workerMark) != "" {
		os.Exit(runWorker())
	}
	flag.Parse()
	if flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	directory, err := os.Getwd()
	if err == nil {
		root, err = findRoot(directory)
	}
	name, _ := filepath.Rel(root, directory)
	if testing.Short() {
		fmt.Printf("%s: left out with -short, every test mounts or runs the binary\n", name)
		os.Exit(0)
	}
	code := 0
	if err == nil {
		code, err = run(m, environments)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, environments []string) (int, error) {
	interrupted := interruptions()
	if err := checkNeeds(environments); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "wfs-integration-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// Other users run the binary too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	binaryPath = filepath.Join(dir, "wfs")
	go func() {
		<-interrupted
		undoAll()
		endDaemons()
		os.RemoveAll(dir)
		os.Exit(1)
	}()
	if err := build(); err != nil {
		return 0, err
	}
	code := m.Run()
	if reports := raceReports(); reports != "" {
		return 0, fmt.Errorf("a daemon has reported a race:\n%s", reports)
	}
	return code, nil
}

// interruptions tells when the run is to end: by a signal, or because `go test` is gone.
// What nohup(1) has us ignore stays ignored, but is caught, because the commands that tests
// start would ignore it too. So is SIGPIPE: output that nobody reads does not end the run
// before it has cleaned up.
func interruptions() <-chan os.Signal {
	interrupted := make(chan os.Signal, 1)
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGPIPE)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(ignored, s)
		} else {
			signal.Notify(interrupted, s)
		}
	}
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(time.Second)
		}
		interrupted <- syscall.SIGHUP
	}()
	return interrupted
}

// checkNeeds names the make target that installs what is missing.
func checkNeeds(environments []string) error {
	if _, err := exec.LookPath("fusermount3"); err != nil {
		return fmt.Errorf("%w: run `make system`", err)
	}
	for _, environment := range environments {
		stamp := filepath.Join(root, ".venv", environment, ".installed")
		if _, err := os.Stat(stamp); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the Python environment %s is not installed: run `make .venv/%s`", environment, environment)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// findRoot is the directory with go.mod at or above dir.
func findRoot(dir string) (string, error) {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		} else if dir == filepath.Dir(dir) {
			return "", err
		}
	}
}
