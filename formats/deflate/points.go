package deflate

import "sync"

// marked is the streams that have points, and how many. When there are too many, those of
// the stream with most of them become half as dense: every stream keeps some, and a jump
// backwards costs a part of a stream, whatever else is mounted.
type marked struct {
	mu     sync.Mutex
	counts map[*Stream]int
	total  int
}

// add counts a point for s, which is locked. It is false where there is no room.
func (m *marked) add(s *Stream) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.total >= maxPoints && !m.thin(s) {
		return false
	}
	if m.counts == nil {
		m.counts = map[*Stream]int{}
	}
	m.counts[s]++
	m.total++
	return true
}

// thin takes every second point of the stream that has most of them. One that is at work
// keeps its own.
func (m *marked) thin(caller *Stream) bool {
	var most *Stream
	for s, n := range m.counts {
		if n > 1 && (most == nil || n > m.counts[most]) && (s == caller || s.mu.TryLock()) {
			if most != nil && most != caller {
				most.mu.Unlock()
			}
			most = s
		}
	}
	if most == nil {
		return false
	}
	if most != caller {
		defer most.mu.Unlock()
	}
	kept := make([]point, 0, len(most.points)/2+1)
	for i := 1; i < len(most.points); i += 2 {
		kept = append(kept, most.points[i])
	}
	most.sparse = 2 * max(1<<20, most.size/pointsPerStream, most.sparse)
	if n := len(kept); n > 0 {
		most.sparse = max(most.sparse, kept[n-1].pos/int64(n))
	}
	most.points = kept
	m.total -= m.counts[most] - len(kept)
	m.counts[most] = len(kept)
	return true
}
