package segment

import "io"

// Distant is Data that is far away: to read at a new place takes a round trip, and bytes cost
// something. Who reads it fetches no more than is needed, and as much of that at once as can be.
type Distant interface {
	Data
	// Prefetch begins to fetch bytes that will be read soon, and waits for nothing. What is too
	// much, or cannot be had, is left to who reads it.
	Prefetch(off, n int64)
}

// IsDistant reports whether the bytes of r are far away.
func IsDistant(r io.ReaderAt) bool {
	switch r := r.(type) {
	case Distant:
		return true
	case *Range:
		return IsDistant(r.Src)
	}
	return false
}

// Prefetch begins to fetch what n bytes of d from off on are read from, as far as they lie far
// away as they are, and reports whether all of them do or are at hand.
func Prefetch(d Data, off, n int64) bool {
	for end := off + n; off < end; {
		src, at, have := Origin(d, off)
		far, ok := src.(Distant)
		if have <= 0 || !ok {
			if have = literal(d, off); have <= 0 {
				return false
			}
		}
		have = min(have, end-off)
		if ok {
			far.Prefetch(at, have)
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
