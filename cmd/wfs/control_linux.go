package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wfs/fs"
)

// mountStatus is what a daemon tells of itself.
type mountStatus struct {
	PID        int    `json:"pid"`
	Source     string `json:"source"`
	Mountpoint string `json:"mountpoint"`
	Device     string `json:"device"` // as in mountinfo
	fs.Stats
	uid int // of the daemon, as the kernel says
}

func statusOf(server *fs.Server, source, mountpoint, device string) func() mountStatus {
	return func() mountStatus {
		return mountStatus{PID: os.Getpid(), Source: source, Mountpoint: mountpoint, Device: device, Stats: server.Stats()}
	}
}

// controlDirs are the directories that can hold the sockets of a user's daemons; the
// first that works does. They do not hang on the environment alone: mount may have run
// at login and status runs in a cron job.
func controlDirs(uid int) []string {
	shared := fmt.Sprintf("/tmp/wfs-%d", uid)
	if uid == 0 {
		return []string{"/run/wfs", shared}
	}
	dirs := []string{fmt.Sprintf("/run/user/%d/wfs", uid), shared}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && uid == os.Geteuid() {
		dirs = append([]string{filepath.Join(dir, "wfs")}, dirs...)
	}
	return dirs
}

// private makes a directory that nobody but this user can write to. Where all may
// write, somebody else can have been first.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of this user alone", dir)
	}
	return nil
}

// listenControl answers wfs status with one line of JSON for each connection. A
// mount works without it.
func listenControl(log *slog.Logger, dirs []string, status func() mountStatus) io.Closer {
	var errs []error
	for _, dir := range dirs {
		if err := private(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.sock", os.Getpid()))
		os.Remove(path) // of a process that had our pid
		listener, err := net.Listen("unix", path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		go answer(listener, status)
		return listener
	}
	log.Warn("wfs status will not see this mount", "error", errors.Join(errs...))
	return io.NopCloser(nil)
}

func answer(listener net.Listener, status func() mountStatus) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		conn.SetDeadline(time.Now().Add(time.Second))
		json.NewEncoder(conn).Encode(status())
		conn.Close()
	}
}

// pidOf is the process that a socket is named after.
func pidOf(path string) int {
	pid, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".sock"))
	return pid
}

// maxSockets bounds what another user's directory can cost root.
const maxSockets = 1024

// daemons asks every daemon that can be asked: of this user, and for root those of
// all users who have mounts. All are asked at once, because one that hangs takes a second.
func daemons() []mountStatus {
	uids := []int{os.Geteuid()}
	if os.Geteuid() == 0 {
		seen := map[int]bool{0: true}
		for _, m := range mounts() {
			if m.fsType == fsType && m.user > 0 && !seen[m.user] {
				seen[m.user] = true
				uids = append(uids, m.user)
			}
		}
	}
	var (
		group sync.WaitGroup
		mu    sync.Mutex // of all
		all   []mountStatus
	)
	for _, uid := range uids {
		for _, dir := range controlDirs(uid) {
			paths, _ := filepath.Glob(filepath.Join(dir, "*.sock"))
			for _, path := range paths[:min(len(paths), maxSockets)] {
				group.Go(func() {
					s, err := ask(path)
					switch {
					case err == nil && s.uid == uid:
						mu.Lock()
						defer mu.Unlock()
						all = append(all, s)
					case errors.Is(err, syscall.ECONNREFUSED) && uid == os.Geteuid() && ended(pidOf(path)):
						os.Remove(path)
					}
				})
			}
		}
	}
	group.Wait()
	return all
}

// ask reads one daemon's status. Who answers is what the kernel says, not the answer.
func ask(path string) (s mountStatus, err error) {
	const limit = 64 << 10
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return s, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if err := json.NewDecoder(io.LimitReader(conn, limit)).Decode(&s); err != nil {
		return s, err
	}
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return s, err
	}
	var peer *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil || err != nil {
		return s, errors.Join(e, err)
	}
	s.PID, s.uid = int(peer.Pid), int(peer.Uid)
	return s, nil
}

// of finds the status of a mount. Its path would not do: a mount that was detached
// while it was busy lives on, and so do those of other mount namespaces.
func (m mountEntry) of(known []mountStatus) (mountStatus, bool) {
	for _, s := range known {
		if s.Device == m.device && (s.uid == m.user || m.user < 0) {
			return s, true
		}
	}
	return mountStatus{}, false
}
