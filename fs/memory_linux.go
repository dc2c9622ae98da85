package fs

import (
	"bufio"
	"bytes"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// memory says how much the page cache can take without taking it from anybody: of the
// machine, and of the control groups that this process is in, which its prefetch and the
// pages of its sources are charged to.
type memory struct {
	mu   sync.Mutex
	at   time.Time
	free int64
}

// memoryAge is how long an answer holds: one costs 0.1 ms.
const memoryAge = 20 * time.Millisecond

// room is the bytes, as far as they can be known, and else very many.
func (m *memory) room() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.at) > memoryAge {
		m.free, m.at = measureRoom("/proc", "/sys/fs/cgroup"), now
	}
	return m.free
}

func measureRoom(proc, cgroups string) int64 {
	room := int64(math.MaxInt64)
	if kib, ok := numbers(filepath.Join(proc, "meminfo"))["MemAvailable:"]; ok {
		room = kib << 10
	}
	b, err := readSmall(filepath.Join(proc, "self/cgroup"))
	if err != nil {
		return room
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[1] == "":
			room = min(room, groupRoom(cgroups, fields[2], "memory.max", "memory.current", ""))
		case fields[1] == "memory":
			room = min(room, groupRoom(filepath.Join(cgroups, "memory"), fields[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"))
		}
	}
	return room
}

// groupRoom is the least that a group or one of those above it has: what its limit leaves,
// and what it holds of files, which makes way for others.
func groupRoom(root, group, limit, usage, prefix string) int64 {
	room := int64(math.MaxInt64)
	for dir := filepath.Join(root, group); ; dir = filepath.Dir(dir) {
		most, err := number(filepath.Join(dir, limit))
		used, err2 := number(filepath.Join(dir, usage))
		if err == nil && err2 == nil {
			stat := numbers(filepath.Join(dir, "memory.stat"))
			used -= stat[prefix+"inactive_file"] + stat[prefix+"active_file"]
			room = min(room, max(most-used, 0))
		}
		if len(dir) <= len(root) {
			return room
		}
	}
}

// readSmall reads a file of the kernel. It may be called where there are other descriptors
// (detach), so it leaves none to be closed elsewhere.
func readSmall(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 16<<10) // memory.stat has 2 KiB
	n := 0
	for n < len(b) {
		k, err := unix.Read(fd, b[n:])
		if err != nil {
			return nil, err
		}
		if k == 0 {
			break
		}
		n += k
	}
	return b[:n], nil
}

// number reads a file of one number. "max" is none.
func number(path string) (int64, error) {
	b, err := readSmall(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
}

// numbers reads a file of names and numbers.
func numbers(path string) map[string]int64 {
	found := map[string]int64{}
	b, err := readSmall(path)
	if err != nil {
		return found
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 {
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				found[fields[0]] = n
			}
		}
	}
	return found
}
