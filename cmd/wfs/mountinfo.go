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
type mountEntry struct{ path, fsType, source string }

// mounts lists all mounts, the oldest first. It touches none of them: a stat of a
// dead one fails, and one of a hung one hangs.
func mounts() []mountEntry {
	f, err := os.Open("/proc/self/mountinfo")
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
		all = append(all, mountEntry{unescapeOctal(head[4]), tail[0], unescapeOctal(tail[1])})
	}
	return all
}

// mountAt finds the topmost mount at a path.
func mountAt(path string) (mountEntry, bool) {
	found, ok := mountEntry{}, false
	for _, name := range []string{absolutePath(path), realPath(path)} {
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
