package segment

import (
	"fmt"
	"io"
	"sort"
)

// Interleaved is the rows of several arrays in turn: the first row of each, then the second
// of each. So arrays lie that were joined along a dimension below their first one.
type Interleaved struct {
	parts []Data
	rows  []int64 // bytes of a row of each part
	begin []int64 // where it begins in a row of the whole
	row   int64   // bytes of that
	count int64
}

// Interleave joins parts, each of which has count rows. Empty parts are dropped.
func Interleave(count int64, parts ...Data) (Data, error) {
	if count == 1 {
		return NewList(parts...)
	}
	s := &Interleaved{count: count}
	total := int64(0)
	for _, part := range parts {
		n := part.Size()
		if n == 0 {
			continue
		}
		if n < 0 || count < 1 || n%count != 0 {
			return nil, fmt.Errorf("%d rows do not fill %d bytes", count, n)
		}
		if total += n; total < 0 {
			return nil, fmt.Errorf("the %d arrays are larger than a file can be", len(parts))
		}
		s.parts, s.rows, s.begin = append(s.parts, part), append(s.rows, n/count), append(s.begin, s.row)
		s.row += n / count
	}
	switch len(s.parts) {
	case 0:
		return Literal(nil), nil
	case 1:
		return s.parts[0], nil
	}
	return s, nil
}

// Size implements Data.
func (s *Interleaved) Size() int64 { return s.row * s.count }

// ReadAt implements Data.
func (s *Interleaved) ReadAt(p []byte, off int64) (int, error) {
	return s.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements Composite. What a request has of a part are bytes of it without a gap,
// so that one read brings many rows of it.
func (s *Interleaved) ReadWith(read ReadFunc, p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, s.Size())
	if err != nil || len(p) == 0 {
		return 0, err
	}
	first, last := 0, len(s.parts)
	if from := off % s.row; from+int64(len(p)) <= s.row { // inside a row: it may have thousands of parts
		first = sort.Search(len(s.begin), func(i int) bool { return s.begin[i]+s.rows[i] > from })
		last = sort.Search(len(s.begin), func(i int) bool { return s.begin[i] >= from+int64(len(p)) })
	}
	buffer := borrow(0)
	defer scratch.Put(buffer)
	for i := first; i < last; i++ {
		if err := s.fill(read, p, off, i, buffer); err != nil {
			return 0, err
		}
	}
	return len(p), atEnd
}

// Rows of this many bytes cost less to read one by one, to where they are wanted, than to
// copy there. A part that is no range may have reasons to be read by much at a time.
const (
	goodRow  = 16 << 10
	goodPart = gatherSpan / 2
)

// fill puts what p, at off, has of a part in its places.
func (s *Interleaved) fill(read ReadFunc, p []byte, off int64, i int, buffer *[]byte) error {
	part, row := s.parts[i], s.rows[i]
	place := func(at int64) int64 { return at/s.row*row + min(max(at%s.row-s.begin[i], 0), row) }
	from, to := place(off), place(off+int64(len(p)))
	limit := int64(goodPart)
	if _, ok := part.(*Range); ok {
		limit = goodRow
	}
	for from < to {
		out := p[from/row*s.row+s.begin[i]+from%row-off:]
		n := min(row-from%row, to-from)
		if n >= limit || n == to-from {
			if err := Fill(read, part, out[:n], from); err != nil {
				return err
			}
			from += n
			continue
		}
		n = min(to-from, gatherSpan)
		if int64(cap(*buffer)) < n {
			*buffer = make([]byte, n)
		}
		src := (*buffer)[:n]
		if err := Fill(read, part, src, from); err != nil {
			return err
		}
		if head := from % row; head > 0 {
			k := copy(out, src[:min(row-head, n)])
			if src = src[k:]; len(src) > 0 {
				out = out[s.row-head:]
			}
		}
		whole := int64(len(src)) / row
		copyRows(out, src, int(row), int(s.row), int(whole))
		if tail := src[whole*row:]; len(tail) > 0 {
			copy(out[whole*s.row:], tail)
		}
		from += n
	}
	return nil
}

// copyRows copies count rows of width bytes to places that lie pitch bytes apart.
func copyRows(dst, src []byte, width, pitch, count int) {
	switch width {
	case 1:
		for i := range count {
			dst[i*pitch] = src[i]
		}
	case 2:
		for i := range count {
			*(*[2]byte)(dst[i*pitch:]) = [2]byte(src[i*2:])
		}
	case 4:
		for i := range count {
			*(*[4]byte)(dst[i*pitch:]) = [4]byte(src[i*4:])
		}
	case 8:
		for i := range count {
			*(*[8]byte)(dst[i*pitch:]) = [8]byte(src[i*8:])
		}
	default:
		for i := range count {
			copy(dst[i*pitch:i*pitch+width], src[i*width:])
		}
	}
}
