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
	return Origins(d, off, n, func(src io.ReaderAt, at, n int64) bool {
		far, ok := src.(Distant)
		if ok {
			far.Prefetch(at, n)
		}
		return ok
	})
}
