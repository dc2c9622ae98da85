package fs

// What is asked for of a file is followed in streams: a loader's threads each read a part
// of a tensor, or tensors one after the other. A stream that has shown where it goes is
// prefetched, up to a window ahead of the last place that was asked for.
//
// Pages that were prefetched are read without a request, so a reader would be out of
// sight. One page in wireGap is left out, and the request for it, which takes a reader
// 0.1 ms, tells how far it has come.

const (
	pageSize = 4096
	// wireGap is how far the pages are apart that are left out.
	wireGap = 8 << 20
	// reorder is how far requests of one reader may be apart: the daemon is given several
	// at once, in any order.
	reorder = 1 << 20
	// apart is how far threads may be apart that read the parts of one tensor after another.
	apart = 32 << 20
	// wholeRequest is how much the requests of a steady reader are for, on average.
	wholeRequest = 400 << 10
	// maxStreams bounds what a file is followed in. Of more, those that were used last count.
	maxStreams = 16
)

// stream is a run of a file that was asked for. All offsets are bytes of the file.
type stream struct {
	lo, hi int64 // what was asked for, and what lies between
	next   int64 // where the prefetch goes on; 0 before it is sure
	limit  int64 // how far it may go
	// across says that the reader has gone from one tensor on to the next, and will again.
	across bool
	used   int64 // number of the request that was the last
	// asked is how many bytes its requests were for, and requests how many they were.
	asked, requests int64
}

// steady reports whether the kernel's own read-ahead does well: whoever reads from first to
// last gets whole requests of it, and is slowed by anybody who asks besides. Threads that fault
// in one mapping, and readers that skip, get it in pieces.
func (s *stream) steady() bool { return s.asked >= s.requests*wholeRequest }

// jump is how far after a request the prefetch goes on: what lies between, the kernel reads
// at the same time, and two who read it would cut it into small requests.
func (t *streams) jump() int64 { return 2 * t.certain }

// span is where the tensor that holds a byte begins and ends, and whether it can be
// prefetched.
type span func(off int64) (begin, end int64, straight bool)

// streams are those of a file.
type streams struct {
	all []*stream
	// certain is how much has to be asked for in one piece: more than the kernel reads
	// for a single access.
	certain int64
	tensor  span
	// distant says that the bytes come from far away: a steady reader then waits for each round
	// trip of the kernel's requests.
	distant bool
}

// ask tells that bytes off to end were asked for, by request number now. window is how far
// ahead a stream may be. The stream is returned if it has something to prefetch.
func (t *streams) ask(off, end, window, now int64) *stream {
	s := t.find(off, end)
	if s == nil {
		t.add(&stream{lo: off, hi: end, used: now, asked: end - off, requests: 1})
		return nil
	}
	if s.next > 0 && off >= s.limit { // the tensor was there as a whole, and another one is wanted
		s.across = true
	}
	s.lo, s.hi, s.used = min(s.lo, off), max(s.hi, end), now
	s.asked, s.requests = s.asked+end-off, s.requests+1
	if s.next == 0 {
		if s.hi-s.lo <= t.certain || s.steady() && !t.distant {
			return nil
		}
		s.next = s.hi / pageSize * pageSize
		// The kernel's own read-ahead may have gone past the tensor by that much.
		_, first, _ := t.tensor(s.lo)
		s.across = first <= s.hi-t.certain
	}
	if off <= s.next+reorder { // and else threads of the reader are at several places
		s.next = max(s.next, end/pageSize*pageSize+t.jump())
	}
	s.limit = max(s.limit, s.hi+window)
	if !s.across {
		_, last, _ := t.tensor(max(s.lo, s.hi-t.certain))
		s.limit = min(s.limit, (last+pageSize-1)/pageSize*pageSize)
	}
	if s.next >= s.limit {
		return nil
	}
	return s
}

// find is the stream that a request goes on with, or that has it already.
func (t *streams) find(off, end int64) *stream {
	for _, s := range t.all {
		near := int64(reorder)
		if s.across {
			near = apart
		}
		if off <= max(s.hi, s.next)+near && end >= s.lo-reorder {
			return s
		}
	}
	return nil
}

// add follows one stream more, in place of the one that was used least lately.
func (t *streams) add(s *stream) {
	if len(t.all) < maxStreams {
		t.all = append(t.all, s)
		return
	}
	oldest := 0
	for i, o := range t.all {
		if o.used < t.all[oldest].used {
			oldest = i
		}
	}
	t.all[oldest] = s
}

// take cuts up to n bytes off what a stream has to prefetch; begin equals end where there
// is nothing. No page that tells of the reader is among them.
func (t *streams) take(s *stream, n, size int64) (begin, end int64) {
	t.skip(s)
	if s.next%wireGap == 0 {
		s.next += pageSize
	}
	limit := min(s.limit, size)
	if s.next >= limit {
		return 0, 0
	}
	if _, _, straight := t.tensor(s.next); !straight {
		return 0, 0
	}
	wire := (s.next + wireGap - 1) / wireGap * wireGap
	begin = s.next
	end = min(begin+n, limit, wire)
	if first, _, straight := t.tensor(end - 1); !straight {
		if end = first / pageSize * pageSize; end <= begin {
			return 0, 0
		}
	}
	s.next = end
	return begin, end
}

// skip leaves out what another stream of the file has prefetched, and goes on for both.
func (t *streams) skip(s *stream) {
	for i := 0; i < len(t.all); i++ {
		o := t.all[i]
		if o == s || s.next < o.lo || s.next >= max(o.hi, o.next) {
			continue
		}
		s.next, s.hi, s.limit = max(o.hi, o.next), max(s.hi, o.hi), max(s.limit, o.limit)
		s.across = s.across || o.across
		t.all[i] = t.all[len(t.all)-1]
		t.all = t.all[:len(t.all)-1]
		i = -1
	}
}
