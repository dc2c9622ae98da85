package hdf5

// A box is a part of an array: in each dimension a range of positions. Arrays of
// bytes have the bytes of an element as their last dimension, so a request that
// begins in the middle of an element is nothing special.
type box struct {
	lo, hi []uint64
}

// boxes cuts the range [from, to) of an array's bytes, in C order, into boxes, at
// most 2·rank−1 of them: the end of a row, whole rows, the end of a plane and so on,
// up to the largest whole thing and down again.
func boxes(dims []uint64, from, to uint64, visit func(b box, at uint64) error) error {
	rank := len(dims)
	strides := make([]uint64, rank) // bytes of one step in each dimension
	n := uint64(1)
	for i := rank - 1; i >= 0; i-- {
		strides[i] = n
		n *= dims[i]
	}
	start := from
	b := box{make([]uint64, rank), make([]uint64, rank)}
	for from < to {
		// The outermost dimension in which a whole step begins here and ends in time.
		k := 0
		for k < rank-1 && (from%strides[k] != 0 || to-from < strides[k]) {
			k++
		}
		rest := from
		for i := range rank {
			b.lo[i] = rest / strides[i] % dims[i]
			b.hi[i] = b.lo[i] + 1
			if i > k {
				b.lo[i], b.hi[i] = 0, dims[i]
			}
		}
		steps := min((to-from)/strides[k], dims[k]-b.lo[k])
		b.hi[k] = b.lo[k] + steps
		if err := visit(b, from-start); err != nil {
			return err
		}
		from += steps * strides[k]
	}
	return nil
}

// part is where a box and a chunk meet.
type part struct {
	place uint64   // of the chunk in the grid
	at    []uint64 // the same as a position
	lo    []uint64 // of what is common to both, in the array
	size  []uint64
	whole bool // the chunk lies whole in the box
}

// parts visits all chunks that a box meets. The part is reused from call to call.
func parts(b box, chunk, grid []uint64, visit func(*part) error) error {
	rank := len(chunk)
	first, last := make([]uint64, rank), make([]uint64, rank)
	for i := range rank {
		first[i], last[i] = b.lo[i]/chunk[i], (b.hi[i]-1)/chunk[i]
	}
	p := &part{at: append([]uint64(nil), first...), lo: make([]uint64, rank), size: make([]uint64, rank)}
	for {
		p.whole = true
		for i := range rank {
			from := p.at[i] * chunk[i]
			p.lo[i] = max(from, b.lo[i])
			// A chunk over the edge of the array ends with it: b.hi is inside.
			p.size[i] = min(from+chunk[i], b.hi[i]) - p.lo[i]
			p.whole = p.whole && p.size[i] == chunk[i]
		}
		p.place = linear(p.at, grid)
		if err := visit(p); err != nil {
			return err
		}
		i := rank - 1
		for ; i >= 0; i-- {
			if p.at[i]++; p.at[i] <= last[i] {
				break
			}
			p.at[i] = first[i]
		}
		if i < 0 {
			return nil
		}
	}
}

// runs visits the longest contiguous pieces of a part: n bytes that lie at offset
// inChunk of the chunk and at inArray of the array.
func (p *part) runs(dims, chunk []uint64, visit func(inChunk, inArray, n uint64) error) error {
	rank := len(dims)
	// Trailing dimensions that are whole in both are one run together with the
	// dimension before them.
	outer, n := rank-1, p.size[rank-1]
	for outer > 0 && p.size[outer] == dims[outer] && p.size[outer] == chunk[outer] {
		outer--
		n *= p.size[outer]
	}
	var inChunk, inArray uint64
	for i := range rank {
		inChunk = inChunk*chunk[i] + (p.lo[i] - p.at[i]*chunk[i])
		inArray = inArray*dims[i] + p.lo[i]
	}
	if outer == 0 {
		return visit(inChunk, inArray, n)
	}
	chunkStep, arrayStep := make([]uint64, outer), make([]uint64, outer)
	c, a := uint64(1), uint64(1)
	for i := rank - 1; i > 0; i-- {
		c, a = c*chunk[i], a*dims[i]
		if i <= outer {
			chunkStep[i-1], arrayStep[i-1] = c, a
		}
	}
	count := make([]uint64, outer)
	for {
		if err := visit(inChunk, inArray, n); err != nil {
			return err
		}
		i := outer - 1
		for ; i >= 0; i-- {
			count[i]++
			inChunk, inArray = inChunk+chunkStep[i], inArray+arrayStep[i]
			if count[i] < p.size[i] {
				break
			}
			count[i] = 0
			inChunk, inArray = inChunk-p.size[i]*chunkStep[i], inArray-p.size[i]*arrayStep[i]
		}
		if i < 0 {
			return nil
		}
	}
}

// single reports whether a part is one run.
func (p *part) single(dims, chunk []uint64) bool {
	i := len(dims) - 1
	for i > 0 && p.size[i] == dims[i] && p.size[i] == chunk[i] {
		i--
	}
	for i--; i >= 0; i-- {
		if p.size[i] != 1 {
			return false
		}
	}
	return true
}
