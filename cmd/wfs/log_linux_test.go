package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOpenLog makes a log file for its owner alone, appends to one that is there, and
// follows no link.
func TestOpenLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	for range 2 {
		f, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("line\n")
		f.Close()
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != int64(len("line\nline\n")) {
		t.Errorf("%v, %v", info, err)
	}
	victim := filepath.Join(dir, "victim")
	for name, target := range map[string]string{"link": path, "dangling": victim} {
		link := filepath.Join(dir, name)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if _, err := openLog(link); err == nil || !strings.Contains(err.Error(), link+": the log file is a symbolic link") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(victim); err == nil {
		t.Error("a file was made where a link leads")
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLog(fifo); err == nil || !strings.Contains(err.Error(), fifo+": nobody reads this pipe or socket") {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := openLog(filepath.Join(dir, "missing", "log")); err == nil {
		t.Error("a directory that is missing")
	}
}
