package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// binds is the other mounts in a list of the file system that m is a mount of. A device
// number alone is no proof: it is given again when its file system has ended.
func (m mountEntry) binds(list []mountEntry) []mountEntry {
	var binds []mountEntry
	for _, other := range list {
		if other.device == m.device && other.fsType == m.fsType && other.source == m.source && other.id != m.id {
			binds = append(binds, other)
		}
	}
	return binds
}

// elsewhere says at which of some mounts a file system still is, "" for none.
func elsewhere(binds []mountEntry) string {
	list := mounts()
	binds = slices.DeleteFunc(binds, func(m mountEntry) bool {
		return !slices.ContainsFunc(list, func(now mountEntry) bool { return now.id == m.id && now.device == m.device })
	})
	return atPaths(binds)
}

func atPaths(binds []mountEntry) string {
	var paths []string
	for _, m := range binds {
		paths = append(paths, m.path)
	}
	if len(paths) == 0 {
		return ""
	}
	return "it is mounted at " + some(paths) + " too"
}

// overlays says which overlays of a list have the mount m below them, "" for none.
func (m mountEntry) overlays(list []mountEntry) string {
	var paths []string
	for _, other := range list {
		if other.fsType == "overlay" && other.liesOn(m.path) {
			paths = append(paths, other.path)
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return "the overlay at " + some(paths) + " lies on it"
}

// liesOn reports whether an overlay has a lower directory at or below path.
func (m mountEntry) liesOn(path string) bool {
	return slices.ContainsFunc(m.options, func(option string) bool {
		name, value, _ := strings.Cut(option, "=")
		if name != "lowerdir" && name != "lowerdir+" {
			return false
		}
		return slices.ContainsFunc(strings.Split(unescapeOctal(value), ":"), func(dir string) bool {
			return dir == path || strings.HasPrefix(dir, strings.TrimSuffix(path, "/")+"/")
		})
	})
}

// maxProcesses bounds what is looked at of other processes.
const maxProcesses = 100_000

// inNamespaces says in which other mount namespace the file system is, as those of
// containers are.
func (m mountEntry) inNamespaces() string {
	own, _ := os.Readlink("/proc/self/ns/mnt")
	seen := map[string]bool{own: true}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	m.id = 0 // another namespace has other mounts
	for _, process := range processes[:min(len(processes), maxProcesses)] {
		namespace, err := os.Readlink(process + "/ns/mnt")
		if err == nil && seen[namespace] {
			continue
		}
		// The namespace of another user's process is not shown, what is mounted in it is.
		seen[namespace] = err == nil
		if where := atPaths(m.binds(mountsIn(process + "/mountinfo"))); where != "" {
			return fmt.Sprintf("%s, for process %s (%s)", where, filepath.Base(process), command(process))
		}
	}
	return ""
}

// command is the name of a process, given its directory in /proc.
func command(process string) string {
	name, err := os.ReadFile(process + "/comm")
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(name))
}
