package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// fsType is the type of our mounts in /proc/self/mountinfo.
const fsType = "fuse.wfs"

// mountEntry is a line of /proc/self/mountinfo (proc(5)).
type mountEntry struct {
	id                   uint64
	device               string // major:minor; no other live mount has it
	path, fsType, source string
	options              []string // of the file system, in its own spelling
	user                 int      // who mounted it, -1 where that is not said
}

// mounts lists all mounts, the oldest first. It touches none of them: a stat of a
// dead one fails, and one of a hung one hangs.
func mounts() []mountEntry { return mountsIn("/proc/self/mountinfo") }

// mountsIn reads the list of the mount namespace that a file of /proc belongs to.
func mountsIn(mountinfo string) []mountEntry {
	f, err := os.Open(mountinfo)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []mountEntry
	for scan := bufio.NewScanner(f); scan.Scan(); {
		before, after, ok := strings.Cut(scan.Text(), " - ")
		head, tail := strings.Fields(before), strings.Split(after, " ")
		if !ok || len(head) < 5 || len(tail) < 2 {
			continue
		}
		m := mountEntry{device: head[2], path: unescapeOctal(head[4]), fsType: tail[0], source: unescapeOctal(tail[1]), user: -1}
		m.id, _ = strconv.ParseUint(head[0], 10, 64)
		m.options = strings.Split(tail[len(tail)-1], ",")
		for _, option := range m.options {
			if id, ok := strings.CutPrefix(option, "user_id="); ok {
				if n, err := strconv.Atoi(id); err == nil {
					m.user = n
				}
			}
		}
		all = append(all, m)
	}
	return all
}

// mountAt finds the topmost mount at a path. The path is looked at only where the
// list does not have it: to look at a mount that hangs is to hang.
func mountAt(path string) (found mountEntry, ok bool) {
	for _, name := range []func(string) string{absolutePath, realPath} {
		name := name(path)
		for _, m := range mounts() {
			if m.path == name {
				found, ok = m, true
			}
		}
		if ok {
			break
		}
	}
	return found, ok
}

// unescapeOctal decodes \040 and the like.
func unescapeOctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
