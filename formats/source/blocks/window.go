package blocks

const (
	// share of what was read in order is fetched ahead: whoever stops has caused no more than
	// that to be fetched in vain.
	share = 4
	// maxWindow bounds it: 100 MB/s at a round trip of 300 ms.
	maxWindow = 32 << 20
	// near is how far apart the reads of one reader may be: the kernel sends several at once.
	near = 2 << 20
	// maxReaders bounds the readers of a file that are followed.
	maxReaders = 16
)

// reader is one who reads in order.
type reader struct {
	next  int64 // where the next read is expected
	read  int64 // bytes
	ahead int64 // up to where was fetched
	used  int64
}

// readers are those of a file.
type readers struct {
	all []*reader
	now int64
}

// read tells of a read, and is what is to be fetched ahead: n is 0 where nothing is.
func (w *readers) read(off, n int64) (from, length int64) {
	w.now++
	var r *reader
	for _, o := range w.all {
		if off >= o.next-near && off <= o.next+near {
			r = o
			break
		}
	}
	if r == nil {
		w.add(&reader{next: off + n, read: n, ahead: off + n, used: w.now})
		return 0, 0
	}
	r.read, r.used = r.read+max(min(n, off+n-r.next), 0), w.now
	r.next = max(r.next, off+n)
	r.ahead = max(r.ahead, r.next)
	window := min(r.read/share, maxWindow)
	// In pieces of some size, or each read would be a request of its own.
	if target := r.next + window; target-r.ahead >= max(window/2, Size) {
		from, length = r.ahead, target-r.ahead
		r.ahead = target
		return from, length
	}
	return 0, 0
}

// add follows one reader more, in place of the one that was last seen before all others.
func (w *readers) add(r *reader) {
	if len(w.all) < maxReaders {
		w.all = append(w.all, r)
		return
	}
	oldest := 0
	for i, o := range w.all {
		if o.used < w.all[oldest].used {
			oldest = i
		}
	}
	w.all[oldest] = r
}
