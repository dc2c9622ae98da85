package segment

import (
	"io"
	"sort"
)

// Origin is where the bytes of d from off on are as they are: at offset at of src, n of
// them. n is 0 where they are computed, or held in memory.
func Origin(d Data, off int64) (src io.ReaderAt, at, n int64) {
	if off < 0 || off >= d.Size() {
		return nil, 0, 0
	}
	switch d := d.(type) {
	case *Range:
		room := d.N - off
		inner, ok := d.Src.(Data)
		if !ok {
			return d.Src, d.Off + off, room
		}
		src, at, n = Origin(inner, d.Off+off)
		return src, at, min(n, room)
	case *List:
		i := sort.Search(len(d.ends), func(i int) bool { return d.ends[i] > off })
		return Origin(d.parts[i], off-(d.ends[i]-d.parts[i].Size()))
	case Distant: // also one that finds its place with its first byte
	case Literal, Composite:
		return nil, 0, 0
	}
	return d, off, d.Size() - off
}

// Origins calls each for the runs that n bytes of d from off on come from as they are, until it
// returns false. It reports whether it never did, and whether these are all of the bytes but
// those that are held in memory.
func Origins(d Data, off, n int64, each func(src io.ReaderAt, at, n int64) bool) bool {
	for end := off + n; off < end; {
		src, at, have := Origin(d, off)
		if have > 0 {
			have = min(have, end-off)
			if !each(src, at, have) {
				return false
			}
		} else if have = literal(d, off); have <= 0 {
			return false
		}
		off += have
	}
	return true
}

// literal is how many bytes from off on are held in memory.
func literal(d Data, off int64) int64 {
	if list, ok := d.(*List); ok {
		part, begin := list.Part(off)
		d, off = part, off-begin
	}
	if l, ok := d.(Literal); ok {
		return l.Size() - off
	}
	return 0
}
