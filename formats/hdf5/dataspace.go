package hdf5

import "math/bits"

// maxRank is H5S_MAX_RANK.
const maxRank = 32

// dataspace is the shape of a dataset or an attribute (IV.A.2.b).
type dataspace struct {
	null bool
	dims []uint64 // nil for a scalar
	max  []uint64 // undefined where unlimited
}

func decodeDataspace(c *cursor) (dataspace, error) {
	const (
		hasMax     = 1
		typeScalar = 0
		typeNull   = 2
	)
	var s dataspace
	version, rank, flags := c.u8(), int(c.u8()), c.u8()
	kind := uint8(1)
	switch version {
	case 1:
		c.skip(5)
	case 2:
		kind = c.u8()
	default:
		return s, c.errorf("version %d", version)
	}
	if rank > maxRank {
		return s, c.errorf("rank %d", rank)
	}
	if kind == typeNull {
		s.null = true
		return s, c.err()
	}
	if kind == typeScalar && rank != 0 || kind > typeNull {
		return s, c.errorf("type %d of rank %d", kind, rank)
	}
	for range rank {
		s.dims = append(s.dims, c.length())
	}
	s.max = s.dims
	if flags&hasMax != 0 && rank > 0 {
		s.max = make([]uint64, rank)
		for i := range s.max {
			s.max[i] = c.length()
			if n := c.f.lengthSize; n < 8 && s.max[i] == 1<<(8*n)-1 {
				s.max[i] = undefined
			}
			if s.max[i] < s.dims[i] {
				return s, c.errorf("dimension %d is %d of at most %d", i, s.dims[i], s.max[i])
			}
		}
	}
	return s, c.err()
}

// elements is the number of elements; ok is false if it overflows an int64.
func (s *dataspace) elements() (n uint64, ok bool) {
	if s.null {
		return 0, true
	}
	return product(1, s.dims)
}

// product multiplies n with dims; ok is false beyond 1<<62. A zero makes it zero
// only where nothing before has overflowed: such a shape is refused all the same.
func product(n uint64, dims []uint64) (uint64, bool) {
	for _, d := range dims {
		hi, lo := bits.Mul64(n, d)
		if hi != 0 || lo > 1<<62 {
			return 0, false
		}
		n = lo
	}
	return n, true
}
