package hdf5

import (
	"syscall"
	"testing"
	"time"
)

// processorTime is what the process has used, as on other systems.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		t.Fatal(err)
	}
	var began, ended, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(self, &began, &ended, &kernel, &user); err != nil {
		t.Fatal(err)
	}
	span := func(f syscall.Filetime) int64 { return int64(f.HighDateTime)<<32 | int64(f.LowDateTime) }
	return time.Duration(span(kernel)+span(user)) * 100 // nanoseconds
}
