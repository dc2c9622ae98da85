package segment

import (
	"errors"
	"io"
	"reflect"
	"sort"
)

// List is segments one after the other.
type List struct {
	parts []Data
	ends  []int64 // ends[i] is the offset just past parts[i]
}

// NewList concatenates parts. Empty parts are dropped. An overflowing total is an error.
func NewList(parts ...Data) (*List, error) {
	l := &List{parts: make([]Data, 0, len(parts)), ends: make([]int64, 0, len(parts))}
	var end int64
	for _, part := range parts {
		n := part.Size()
		if n == 0 {
			continue
		}
		if n < 0 || end+n < end {
			return nil, errors.New("segments are larger than a file can be")
		}
		end += n
		l.parts = append(l.parts, part)
		l.ends = append(l.ends, end)
	}
	return l, nil
}

// Size implements Data.
func (l *List) Size() int64 {
	if len(l.ends) == 0 {
		return 0
	}
	return l.ends[len(l.ends)-1]
}

// Part is the segment that has the byte at off, or the last one, and the offset that it begins at.
func (l *List) Part(off int64) (part Data, begin int64) {
	if len(l.parts) == 0 {
		return Literal(nil), 0
	}
	i := sort.Search(len(l.ends)-1, func(i int) bool { return l.ends[i] > off })
	return l.parts[i], l.ends[i] - l.parts[i].Size()
}

// ReadAt implements Data: a binary search for the first segment, then onward.
func (l *List) ReadAt(p []byte, off int64) (int, error) {
	return l.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements Composite.
func (l *List) ReadWith(read ReadFunc, p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, l.Size())
	if err != nil || len(p) == 0 {
		return 0, err
	}
	i := sort.Search(len(l.ends), func(i int) bool { return l.ends[i] > off })
	done := 0
	for done < len(p) {
		start := l.ends[i] - l.parts[i].Size()
		if n, parts := l.readRun(p[done:], i, off-start, read); parts > 0 {
			done, off, i = done+n, off+int64(n), i+parts
			continue
		}
		want := min(int64(len(p)-done), l.ends[i]-off)
		n, err := read(l.parts[i], p[done:done+int(want)], off-start)
		done += n
		if int64(n) < want {
			return done, missing(err)
		}
		off += want
		i++
	}
	return done, atEnd
}

// Bounds of a run: parts this small, with no more than runGap bytes between them, cost
// less to read together with what lies between than one by one. A state dict of 262 144
// tensors of 4 KiB is read 1.3 times as fast.
const (
	runPart = 32 << 10
	runGap  = 1 << 10
	runSpan = gatherSpan
)

// readRun fills p from byte skip of part i on, as far as small ranges of one source lie
// one after the other there too, by one read. It returns the bytes, and the parts that
// they end in or after; 0 parts where there is no run, or where it could not be read.
func (l *List) readRun(p []byte, i int, skip int64, read ReadFunc) (n, parts int) {
	first, ok := l.parts[i].(*Range)
	if !ok || first.N > runPart || reflect.TypeOf(first.Src).Kind() != reflect.Pointer {
		return 0, 0
	}
	from, end, room := first.Off+skip, first.Off+skip, int64(len(p))
	for _, part := range l.parts[i:] {
		r, ok := part.(*Range)
		if !ok || r.N > runPart || r.Src != first.Src || parts > 0 && (r.Off < end || r.Off-end > runGap) {
			break
		}
		begin := max(r.Off, from)
		take := min(r.Off+r.N-begin, room)
		if take == 0 || begin+take-from > runSpan {
			break
		}
		end, room = begin+take, room-take
		parts++
	}
	if parts < 2 {
		return 0, 0
	}
	span := borrow(end - from)
	defer scratch.Put(span)
	if k, _ := read(first.Src, *span, from); k < len(*span) {
		return 0, 0
	}
	for _, part := range l.parts[i : i+parts] {
		r := part.(*Range)
		begin := max(r.Off, from)
		n += copy(p[n:], (*span)[begin-from:min(r.Off+r.N, end)-from])
	}
	return n, parts
}
