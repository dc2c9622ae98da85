package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"wfs/fs"
)

// mountStatus is what a daemon tells of itself.
type mountStatus struct {
	PID        int    `json:"pid"`
	Source     string `json:"source"`
	Mountpoint string `json:"mountpoint"`
	fs.Stats
}

func statusOf(server *fs.Server, source, mountpoint string) func() mountStatus {
	return func() mountStatus { return mountStatus{os.Getpid(), absolutePath(source), mountpoint, server.Stats()} }
}

// controlDir holds a socket for each daemon of this user. In a directory that all
// may write to, it is the user's alone.
func controlDir() string {
	if os.Geteuid() == 0 {
		return "/run/wfs"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "wfs")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("wfs-%d", os.Geteuid()))
}

// listenControl answers wfs status with one line of JSON for each connection. A
// mount works without it.
func listenControl(log *slog.Logger, status func() mountStatus) io.Closer {
	dir := controlDir()
	path := filepath.Join(dir, fmt.Sprintf("%d.sock", os.Getpid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		log.Warn("wfs status will not see this mount", "error", err)
		return io.NopCloser(nil)
	}
	os.Remove(path) // of a process that had our pid
	listener, err := net.Listen("unix", path)
	if err != nil {
		log.Warn("wfs status will not see this mount", "error", err)
		return io.NopCloser(nil)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(time.Second))
			json.NewEncoder(conn).Encode(status())
			conn.Close()
		}
	}()
	return listener
}

// daemons asks every daemon of this user. The sockets of dead ones are removed.
func daemons() []mountStatus {
	paths, _ := filepath.Glob(filepath.Join(controlDir(), "*.sock"))
	var all []mountStatus
	for _, path := range paths {
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err != nil {
			os.Remove(path)
			continue
		}
		conn.SetDeadline(time.Now().Add(time.Second))
		var s mountStatus
		if json.NewDecoder(conn).Decode(&s) == nil {
			all = append(all, s)
		}
		conn.Close()
	}
	return all
}

func findStatus(mountpoint string) (mountStatus, bool) {
	for _, s := range daemons() {
		if s.Mountpoint == mountpoint || realPath(s.Mountpoint) == mountpoint {
			return s, true
		}
	}
	return mountStatus{}, false
}
