package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestScanPipe reads what a pipe gives, and refuses what is neither a file nor a pipe.
func TestScanPipe(t *testing.T) {
	const call = "\x80\x02cos\ngetcwd\n)R."
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go os.WriteFile(pipe, []byte(call), 0)
	var stdout, stderr bytes.Buffer
	if code := run([]string{"wfs", "scan", pipe}, &stdout, &stderr); code != exitDangerous || !strings.Contains(stdout.String(), "os.getcwd") {
		t.Errorf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
	stdout.Reset()
	if code := run([]string{"wfs", "scan", os.DevNull}, &stdout, &stderr); code != exitFailure || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
}

// TestSpool keeps what a pipe gives, in memory or in a file that has no name.
func TestSpool(t *testing.T) {
	for _, size := range []int{0, 1000, spoolMemory + 1000} {
		t.Setenv("TMPDIR", t.TempDir())
		want := bytes.Repeat([]byte("0123456789"), size/10)
		src, err := spool("-", bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		tail := make([]byte, min(10, len(want)))
		if _, err := src.ReadAt(tail, int64(len(want)-len(tail))); err != nil && len(tail) > 0 || src.Size() != int64(len(want)) || !bytes.HasSuffix(want, tail) {
			t.Errorf("%d bytes: %d, %v, %q", size, src.Size(), err, tail)
		}
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("a file is left: %v, %v", left, err)
		}
		src.Close()
	}
}
