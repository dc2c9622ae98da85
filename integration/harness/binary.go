package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binaryPath is the wfs that Main built; root is the top of the repository.
var binaryPath, root string

// Binary returns the path of the wfs under test.
func Binary() string { return binaryPath }

// Root returns the top of the repository.
func Root() string { return root }

// Command is the binary with args, not started.
func Command(args ...string) *exec.Cmd { return exec.Command(binaryPath, args...) }

// Dir makes a directory that every user may enter and that lasts as long as the binary.
// t.TempDir belongs to the user who runs the tests alone.
func Dir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(binaryPath), name)
	Must(t, os.MkdirAll(dir, 0o755))
	return dir
}

// RaceBuild reports whether the binary is built with the race detector: `make race`.
func RaceBuild() bool { return os.Getenv("RACE") != "" }

// raceLog is where a binary with the race detector reports (GORACE, log_path).
func raceLog() string { return filepath.Join(filepath.Dir(binaryPath), "race") }

// raceReports is all that the daemons have reported.
func raceReports() string {
	var text strings.Builder
	reports, _ := filepath.Glob(raceLog() + ".*")
	for _, report := range reports {
		b, err := os.ReadFile(report)
		if err != nil {
			b = []byte(err.Error())
		}
		text.Write(b)
	}
	return text.String()
}

func build() error {
	args, cgo := []string{"build", "-o", binaryPath}, "CGO_ENABLED=0"
	if RaceBuild() {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
		if err := os.Setenv("GORACE", "log_path="+raceLog()); err != nil {
			return err
		}
	}
	cmd := exec.Command("go", append(args, "./cmd/wfs")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
