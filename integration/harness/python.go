package harness

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The environments that the Makefile installs, one for each family of clients. System is
// the Python of the machine, for scripts that need its standard library only.
const (
	Torch  = "torch"
	Keras  = "keras"
	Extra  = "extra" // the one of torch, and timm, open_clip, joblib and compressors beside it
	Quant  = "quant" // the one of torch, and the libraries that quantize beside it
	System = ""
)

// Interpreter is the Python of an environment.
func Interpreter(environment string) string {
	switch environment {
	case System:
		return "python3"
	case Extra, Quant:
		environment = Torch
	}
	return filepath.Join(root, ".venv", environment, "bin", "python")
}

// Script is the path of a program in integration/py.
func Script(name string) string { return filepath.Join(root, "integration", "py", name) }

// Python runs a script of integration/py in an environment. Where in is not nil the script
// reads it as JSON from its stdin; where out is not nil it writes JSON to its stdout. A
// script that takes a minute has half an hour, because the machine may be busy.
func Python(t testing.TB, environment, script string, in, out any, args ...string) {
	t.Helper()
	cmd := exec.Command(Interpreter(environment), append([]string{Script(script)}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "HF_HUB_OFFLINE=1", "TOKENIZERS_PARALLELISM=false")
	if environment == Extra || environment == Quant {
		packages, err := filepath.Glob(filepath.Join(root, ".venv", environment, "lib", "python*", "site-packages"))
		if err != nil || len(packages) != 1 {
			t.Fatalf("make .venv/%s installs what this test needs: %v", environment, err)
		}
		cmd.Env = append(cmd.Env, "PYTHONPATH="+packages[0])
	}
	if in != nil {
		b, err := json.Marshal(in)
		Must(t, err)
		cmd.Stdin = bytes.NewReader(b)
	}
	r := Run(t, 30*time.Minute, cmd)
	if r.Code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", script, r.Code, r.Stdout, r.Stderr)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(r.Stdout), out); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, r.Stdout, r.Stderr)
	}
}

// Verified fails the test with the problems that a script found with the case name, or
// when it did not look.
func Verified(t *testing.T, problems map[string][]string, name string) {
	t.Helper()
	found, checked := problems[name]
	if !checked {
		t.Fatal("not checked")
	}
	for _, problem := range found {
		t.Error(problem)
	}
}
