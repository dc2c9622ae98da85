package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// busyTimeout bounds the search for who keeps a mount busy: a process that hangs may
// let nobody look at it.
const busyTimeout = 2 * time.Second

// busy is the error of a mount that cannot be unmounted, with what keeps it so as far as
// this user can see it.
func (m mountEntry) busy() error {
	found := make(chan string)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(found)
		m.holders(func(holder string) bool {
			select {
			case found <- holder:
				return true
			case <-stop:
				return false
			}
		})
	}()
	var holders []string
	for timeout := time.After(busyTimeout); ; {
		select {
		case holder, ok := <-found:
			if ok {
				holders = append(holders, holder)
				continue
			}
		case <-timeout:
		}
		break
	}
	if len(holders) == 0 {
		return errors.New("the mount is busy: close the files in it, or use --lazy")
	}
	return fmt.Errorf("the mount is busy, by %s: close the files in it, or use --lazy", some(holders))
}

// holders calls report for each thing that keeps the mount busy: what is mounted in it,
// and processes that have a file of it open or mapped, or their working directory or root
// in it. It ends when report returns false.
func (m mountEntry) holders(report func(string) bool) {
	for _, other := range mounts() {
		if strings.HasPrefix(other.path, strings.TrimSuffix(m.path, "/")+"/") && !report("what is mounted at "+other.path) {
			return
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes[:min(len(processes), maxProcesses)] {
		if m.heldBy(process) && !report(fmt.Sprintf("process %s (%s)", filepath.Base(process), command(process))) {
			return
		}
	}
}

// heldBy reports whether a process, given its directory in /proc, keeps the mount busy.
func (m mountEntry) heldBy(process string) bool {
	for _, name := range []string{"cwd", "root", "exe"} {
		if m.has(process + "/" + name) {
			return true
		}
	}
	if dir, err := os.Open(process + "/fd"); err == nil {
		defer dir.Close()
		for {
			names, _ := dir.Readdirnames(1000)
			if len(names) == 0 {
				break
			}
			for _, name := range names {
				if m.has(process + "/fd/" + name) {
					return true
				}
			}
		}
	}
	maps, err := os.Open(process + "/maps")
	if err != nil {
		return false
	}
	defer maps.Close()
	for scan := bufio.NewScanner(maps); scan.Scan(); {
		if fields := strings.Fields(scan.Text()); len(fields) > 3 && mapsDevice(fields[3]) == m.device {
			return true
		}
	}
	return false
}

// mapsDevice is a device as mountinfo has it, which /proc/PID/maps writes in hexadecimal.
func mapsDevice(hexadecimal string) string {
	var major, minor uint32
	if _, err := fmt.Sscanf(hexadecimal, "%x:%x", &major, &minor); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", major, minor)
}

// has reports whether a path leads into the mount. No file system is asked for what it
// would have to fetch: one of them may hang.
func (m mountEntry) has(path string) bool {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &st) != nil {
		return false
	}
	if fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor) != m.device {
		return false
	}
	return st.Mask&unix.STATX_MNT_ID == 0 || st.Mnt_id == m.id
}
