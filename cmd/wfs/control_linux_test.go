package main

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestControl asks a socket that is alive, and finds no other.
func TestControl(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(open, 0o777)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "good")
	c := listenControl(log, []string{open, link, "/proc/nowhere", good}, func() mountStatus {
		return mountStatus{PID: 1, Source: "s", Mountpoint: "/m", Device: "0:5"}
	})
	defer c.Close()
	sockets, _ := filepath.Glob(good + "/*.sock")
	if len(sockets) != 1 {
		t.Fatalf("sockets %v: a directory that others can write to was taken, or none", sockets)
	}
	s, err := ask(sockets[0])
	if err != nil || s.Source != "s" || s.Mountpoint != "/m" {
		t.Errorf("%+v, %v", s, err)
	}
	if s.PID != os.Getpid() || s.uid != os.Geteuid() {
		t.Errorf("pid %d of user %d: believed, not asked for", s.PID, s.uid)
	}
	if _, ok := (mountEntry{device: "0:5", path: "/m", user: s.uid}).of([]mountStatus{s}); !ok {
		t.Error("the mount does not find its daemon")
	}
	for _, m := range []mountEntry{{device: "0:6", path: "/m", user: s.uid}, {device: "0:5", path: "/m", user: s.uid + 1}} {
		if _, ok := m.of([]mountStatus{s}); ok {
			t.Errorf("%+v finds the daemon of another mount", m)
		}
	}
	c.Close()
	if _, err := ask(sockets[0]); err == nil {
		t.Error("a closed socket answers")
	}
}

// TestEnded knows a process that runs, one that nobody has waited for, and none.
func TestEnded(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if ended(cmd.Process.Pid) {
		t.Error("a process that runs has ended")
	}
	cmd.Process.Kill()
	for end := time.Now().Add(5 * time.Second); !ended(cmd.Process.Pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a zombie has not ended")
		}
	}
	cmd.Wait()
	if !ended(cmd.Process.Pid) {
		t.Error("a process that is gone has not ended")
	}
}
