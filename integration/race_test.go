package integration

import (
	"os"
	"path/filepath"
	"testing"
)

// raceBuild says whether the binary is built with the race detector: `make race`.
func raceBuild() bool { return os.Getenv("RACE") != "" }

// raceLog is where a binary with the race detector reports (GORACE, log_path).
func raceLog() string { return filepath.Join(filepath.Dir(binary), "race") }

// checkNoRace fails the test when a daemon has reported a race.
func checkNoRace(t *testing.T) {
	t.Helper()
	reports, err := filepath.Glob(raceLog() + ".*")
	must(t, err)
	for _, report := range reports {
		t.Errorf("%s", readFile(t, report))
	}
}
