//go:build unix

package hdf5

import (
	"syscall"
	"testing"
	"time"
)

// processorTime is what the process has used: unlike the clock, it says the same on a
// machine that is busy.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
