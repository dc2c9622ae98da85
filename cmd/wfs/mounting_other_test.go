//go:build !linux

package main

import (
	"strings"
	"testing"
)

// TestNotHere calls the commands that only Linux has.
func TestNotHere(t *testing.T) {
	for _, line := range []string{"mount a b", "umount a", "status", "help mount"} {
		code, stdout, stderr := runArgs(strings.Split(line, " ")...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, "on Linux only") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("wfs %s: exit code %d, %q, %q", line, code, stdout, stderr)
		}
	}
}
