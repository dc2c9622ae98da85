package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// elsewhere says by what a file system lives on whose mount m is gone: by other mounts
// of it, and by overlays that have it as a lower directory; "" where none is listed.
func (m mountEntry) elsewhere(list []mountEntry) string {
	var binds, overlays []string
	for _, other := range list {
		switch {
		case other.device == m.device && other.id != m.id:
			binds = append(binds, other.path)
		case other.fsType == "overlay" && other.liesOn(m.path):
			overlays = append(overlays, other.path)
		}
	}
	var words []string
	if len(binds) > 0 {
		words = append(words, "it is mounted at "+some(binds)+" too")
	}
	if len(overlays) > 0 {
		words = append(words, "the overlay at "+some(overlays)+" lies on it")
	}
	return strings.Join(words, ", and ")
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

// inNamespaces is elsewhere for the other mount namespaces, as those of containers.
func (m mountEntry) inNamespaces() string {
	own, _ := os.Readlink("/proc/self/ns/mnt")
	seen := map[string]bool{own: true}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes[:min(len(processes), maxProcesses)] {
		// The namespace of another user's process is not shown, its list is.
		namespace, err := os.Readlink(process + "/ns/mnt")
		if err == nil && seen[namespace] {
			continue
		}
		seen[namespace] = true
		list := mountsIn(process + "/mountinfo")
		if err != nil {
			list = slices.DeleteFunc(list, func(other mountEntry) bool { return other.device != m.device })
		}
		other := m
		other.id, other.path = 0, "" // those of another namespace are others
		if where := other.elsewhere(list); where != "" {
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

// some is a list for a sentence, which is cut where it is long.
func some(list []string) string {
	const most = 5
	if more := len(list) - most; more > 0 {
		list = append(list[:most:most], fmt.Sprintf("%d more", more))
	}
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
