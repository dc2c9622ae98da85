package hdf5

import "math/bits"

// bitStream takes bits from bytes, the highest bit of each byte first, as the n-bit,
// scale-offset and szip filters pack them. Past the end it gives zeros and remembers it.
type bitStream struct {
	b     []byte
	next  int    // of b
	acc   uint64 // its lowest held bits are those that come next
	held  uint
	short bool
}

// take returns the next n bits, at most 32, as a number.
func (s *bitStream) take(n uint) uint64 {
	for s.held < n {
		var b byte
		if s.next < len(s.b) {
			b = s.b[s.next]
			s.next++
		} else {
			s.short = true
		}
		s.acc = s.acc<<8 | uint64(b)
		s.held += 8
	}
	s.held -= n
	return s.acc >> s.held & (1<<n - 1)
}

// number returns the next n bits, at most 64, as a number.
func (s *bitStream) number(n uint) uint64 {
	if n > 32 {
		high := s.take(n - 32)
		return high<<32 | s.take(32)
	}
	return s.take(n)
}

// zeros counts the zeros before the next one, and takes that too.
func (s *bitStream) zeros() uint32 {
	n := uint32(0)
	for {
		if v := s.acc & (1<<s.held - 1); v != 0 {
			first := uint(bits.Len64(v))
			n += uint32(s.held - first)
			s.held = first - 1
			return n
		}
		n += uint32(s.held)
		if s.next >= len(s.b) {
			s.held, s.short = 0, true
			return 0
		}
		s.acc, s.held = uint64(s.b[s.next]), 8
		s.next++
	}
}
