package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Daemons is the processes of the binary that were started for a mountpoint.
func Daemons(mountpoint string) []int {
	var pids []int
	for _, pid := range processes() {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && slices.Contains(strings.Split(string(cmdline), "\x00"), mountpoint) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes is all that run the binary.
func processes() []int {
	var pids []int
	exes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range exes {
		if target, err := os.Readlink(exe); err != nil || target != binaryPath {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(exe))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// endDaemons ends whatever runs the binary: a daemon unmounts, one that is stopped too.
func endDaemons() {
	if !Eventually(30*time.Second, func() bool {
		for _, pid := range processes() {
			syscall.Kill(pid, syscall.SIGTERM)
			syscall.Kill(pid, syscall.SIGCONT)
		}
		return len(processes()) == 0
	}) {
		fmt.Fprintln(os.Stderr, kernelStacks())
	}
}

// kernelStacks is what every thread that runs the binary does in the kernel, for the
// message of a test that hung.
func kernelStacks() string {
	var b strings.Builder
	for _, pid := range processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		fmt.Fprintf(&b, "%d %q\n", pid, cmdline)
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, thread := range threads {
			stat, _ := os.ReadFile(filepath.Join(thread, "stat"))
			stack, _ := os.ReadFile(filepath.Join(thread, "stack"))
			fmt.Fprintf(&b, "%.40s\n%s", stat, stack)
		}
	}
	return b.String()
}

// Memory is a field of /proc/PID/status in bytes: VmRSS, VmHWM.
func Memory(t testing.TB, pid int, field string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(status, []byte("\n")) {
		if name, value, ok := strings.Cut(string(line), ":"); ok && name == field {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("process %d has no %s", pid, field)
	return 0
}

// Stop stops a process, and waits until each of its threads has stopped: kill(2) does not.
// When the test ends, the process goes on.
func Stop(t testing.TB, pid int) {
	t.Helper()
	Must(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	if !Eventually(30*time.Second, func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, thread := range threads {
			if stat, err := os.ReadFile(thread); err == nil && !bytes.Contains(stat, []byte(") T ")) {
				return false
			}
		}
		return len(threads) > 0
	}) {
		t.Fatalf("process %d goes on", pid)
	}
}

// Descriptors is how many files a process has open.
func Descriptors(t testing.TB, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
