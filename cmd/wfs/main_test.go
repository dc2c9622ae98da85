package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"
)

// asWFS is a variable of the environment that makes the binary of the tests be wfs, where
// wfs runs itself again or a shell runs it.
const asWFS = "WFS_TEST_AS_WFS"

func TestMain(m *testing.M) {
	switch os.Getenv(asWFS) {
	case "run":
		if len(os.Args) > 1 && len(os.Args[1]) > 0 && os.Args[1][0] != '-' {
			os.Exit(run(os.Args, os.Stdout, os.Stderr))
		}
	case "hang":
		time.Sleep(time.Hour)
	}
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // of the race detector, whose processes end a second late
	}
	os.Exit(m.Run())
}

// runArgs runs a command line in this process.
func runArgs(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(append([]string{"wfs"}, args...), &out, &err)
	return code, out.String(), err.String()
}

// runWFS runs a command line in a process of its own, which has to succeed.
func runWFS(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(executable(t), args...)
	cmd.Env = append(os.Environ(), asWFS+"=run")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("wfs %q: %v\n%s", args, err, out)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
