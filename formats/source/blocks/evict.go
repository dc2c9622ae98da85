package blocks

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// kept is what of the disk stays free: one part in so many.
const kept = 20

// leftover is the age past which a file that is being written is one that nobody writes.
const leftover = time.Hour

// slabFile is a file of the directory, a slab or a note.
type slabFile struct {
	path string
	size int64 // on the disk
	used time.Time
}

// files lists the directory: what it holds, the slabs used least lately first and the notes,
// which are small, last.
func (s slabs) files() (all []slabFile, total int64, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // another process has evicted it
		}
		f := slabFile{filepath.Join(s.dir, e.Name()), allocated(info), info.ModTime()}
		if strings.HasSuffix(e.Name(), newSuffix) {
			if time.Since(f.used) > leftover {
				os.Remove(f.path)
			}
			continue
		}
		all = append(all, f)
		total += f.size
	}
	notes := func(f slabFile) int { return strings.Count(filepath.Ext(f.path), noteSuffix) }
	slices.SortFunc(all, func(a, b slabFile) int {
		return cmp.Or(notes(a)-notes(b), a.used.Compare(b.used), strings.Compare(a.path, b.path))
	})
	return all, total, nil
}

// trim removes what was used least lately until the directory holds no more than limit bytes
// and a twentieth of the disk is free. It reports whether there is room for more. Processes that
// do so at once remove the same files, or some more than they need to.
func (s slabs) trim(limit int64) (room bool, err error) {
	all, total, err := s.files()
	if err != nil {
		return false, err
	}
	excess := total - limit
	free, size, err := space(s.dir)
	if err == nil {
		excess = max(excess, size/kept-free)
	}
	for _, f := range all {
		if excess <= 0 {
			break
		}
		if err := os.Remove(f.path); err != nil && !os.IsNotExist(err) {
			continue // Windows, where another process has it open
		}
		excess -= f.size
	}
	return excess <= 0, nil
}
