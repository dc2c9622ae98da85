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
