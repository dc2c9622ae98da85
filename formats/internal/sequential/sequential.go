// Package sequential tells whether something is read from one place on, in order, so that
// what comes next can be made before it is asked for.
package sequential

const (
	// nearby is how far from where the last request ended the next may begin: the kernel
	// sends several requests at once, and they may overtake each other.
	nearby = 4 << 20
	// warmup is how much must be read in order before anything is made ahead: programs that
	// look at the head of a file only should not pay for it.
	warmup = 512 << 10
)

// Reader is how far the reader of something has come. It is not safe for concurrent use.
type Reader struct {
	next int64 // byte past the furthest request
	read int64 // bytes that were read in order
}

// Ask notes a request for n bytes from off on. moved reports whether the reader has gone
// elsewhere, so that what was to be made for it is not wanted; ready, whether enough was read
// in order before this request to go ahead of it.
func (r *Reader) Ask(off, n int64) (moved, ready bool) {
	if moved = off > r.next+nearby || off+nearby < r.next; moved {
		r.next, r.read = off, 0
	}
	ready = r.read >= warmup
	r.next, r.read = max(r.next, off+n), r.read+n
	return moved, ready
}

// Next is the byte past the furthest request.
func (r *Reader) Next() int64 { return r.next }
