package segment

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// gatherSpan is the most source bytes that one read of a gather fetches, and so
// the scratch memory a request needs beside its own buffer.
const gatherSpan = 256 << 10

// sparseGap is the distance between two wanted bytes from which on two reads
// cost less than reading what lies between.
const sparseGap = 4 << 10

// apart is the bytes between runs of the source in scratch memory: a line of the cache.
const apart = 64

// dim is one dimension of a strided array, in elements.
type dim struct {
	size   int64
	stride int64 // distance in the source
	out    int64 // distance in the C-order output
}

// Strided serves a strided array (a transpose, a slice with a step, an expanded
// or a channels_last tensor) in C order.
type Strided struct {
	src   io.ReaderAt
	limit int64 // bytes of src
	off   int64 // of element (0, 0, …), in bytes
	elem  int64 // bytes of an element
	dims  []dim // without dimensions of size 1, adjacent ones merged
	size  int64 // bytes

	bands *Bands
	cut   *banding // nil where s has no bands
}

// NewStrided makes the C-order bytes of the array whose element (i, j, …) lies at
// byte off+(i*stride[0]+j*stride[1]+…)*elem of src, which has limit bytes.
// It returns a Range where the array is one. Bands of arrays that cost many reads are kept
// in bands, which may be nil. Negative strides, overflow and elements beyond limit are errors.
func NewStrided(bands *Bands, src io.ReaderAt, limit, off, elem int64, shape, stride []int64) (Data, error) {
	if len(shape) != len(stride) {
		return nil, fmt.Errorf("%d sizes but %d strides", len(shape), len(stride))
	}
	count, err := Count(shape)
	if err != nil {
		return nil, err
	}
	if off < 0 || off > limit {
		return nil, fmt.Errorf("storage offset %d is outside a storage of %d bytes", off, limit)
	}
	for _, s := range stride {
		if s < 0 {
			return nil, fmt.Errorf("negative stride %d", s)
		}
	}
	if count == 0 {
		return Literal(nil), nil
	}
	hi, size := bits.Mul64(uint64(count), uint64(elem))
	if hi != 0 || size > 1<<62 {
		return nil, errors.New("shape is larger than a file can be")
	}
	last := uint64(0) // index of the last element in the source
	for i := range shape {
		hi, lo := bits.Mul64(uint64(shape[i]-1), uint64(stride[i]))
		sum, carry := bits.Add64(last, lo, 0)
		if hi != 0 || carry != 0 {
			return nil, errors.New("strides reach beyond any storage")
		}
		last = sum
	}
	if room := uint64(limit-off) / uint64(elem); last >= room {
		return nil, fmt.Errorf("strides reach element %d of a storage that has %d from its offset on", last, room)
	}
	s := &Strided{src: src, limit: limit, off: off, elem: elem, size: int64(size)}
	s.dims = collapse(shape, stride)
	if len(s.dims) == 0 || len(s.dims) == 1 && s.dims[0].stride == 1 {
		return NewRange(src, off, s.size), nil
	}
	if bands != nil {
		s.bands, s.cut = bands, s.banding(bands.limit)
	}
	return s, nil
}

// Count is the product of a shape's sizes. Negative sizes and overflow are errors,
// also where a later size is 0.
func Count(shape []int64) (int64, error) {
	count := uint64(1)
	zero := false
	for _, n := range shape {
		if n < 0 {
			return 0, fmt.Errorf("negative size %d in shape", n)
		}
		if n == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(count, uint64(n))
		if hi != 0 || lo > 1<<62 {
			return 0, errors.New("shape overflows")
		}
		count = lo
	}
	if zero {
		return 0, nil
	}
	return int64(count), nil
}

// collapse drops dimensions of size 1 and merges neighbours that walk the source
// as one dimension would.
func collapse(shape, stride []int64) []dim {
	var dims []dim
	out := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] == 1 {
			continue
		}
		if n := len(dims); n > 0 && stride[i] == dims[n-1].stride*dims[n-1].size {
			dims[n-1].size *= shape[i]
		} else {
			dims = append(dims, dim{shape[i], stride[i], out})
		}
		out *= shape[i]
	}
	slices.Reverse(dims)
	return dims
}

// Size implements Data.
func (s *Strided) Size() int64 { return s.size }

// ReadAt implements Data.
func (s *Strided) ReadAt(p []byte, off int64) (int, error) {
	return s.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements Composite.
func (s *Strided) ReadWith(read ReadFunc, p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, s.size)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	if s.cut != nil {
		err = s.readBanded(read, p, off)
	} else {
		err = s.direct(read, p, off)
	}
	if err != nil {
		return 0, err
	}
	return len(p), atEnd
}

// direct fills p, which lies inside, from the source.
func (s *Strided) direct(read ReadFunc, p []byte, off int64) error {
	first, skip := off/s.elem, off%s.elem
	last := (off + int64(len(p)) + s.elem - 1) / s.elem
	dst := p
	whole := skip == 0 && (last-first)*s.elem == int64(len(p))
	if !whole {
		dst = make([]byte, (last-first)*s.elem)
	}
	g := gather{s: s, from: read}
	defer g.done()
	if err := g.linear(dst, s.off, 0, first, last); err != nil {
		return err
	}
	if !whole {
		copy(p, dst[skip:])
	}
	return nil
}

// gather is one request's work.
type gather struct {
	s       *Strided
	from    ReadFunc
	scratch []byte
	buffer  *[]byte // what scratch is a part of, and goes back to the others
}

// done ends the use of the scratch buffer.
func (g *gather) done() {
	if g.buffer != nil {
		scratch.Put(g.buffer)
	}
}

// linear fetches the elements [lo, hi) of the sub-array that dims[axis:] span at
// source byte base. A linear range is at most two partial rows around a box, on
// every axis.
func (g *gather) linear(dst []byte, base int64, axis int, lo, hi int64) error {
	elem := g.s.elem
	if axis == len(g.s.dims) || lo >= hi {
		if lo < hi {
			return g.read(dst[:elem], base)
		}
		return nil
	}
	d := g.s.dims[axis]
	row := d.out
	step := d.stride * elem
	a, b := lo/row, hi/row
	if a == b { // inside one row
		return g.linear(dst, base+a*step, axis+1, lo-a*row, hi-a*row)
	}
	if head := lo - a*row; head > 0 {
		n := row - head
		if err := g.linear(dst[:n*elem], base+a*step, axis+1, head, row); err != nil {
			return err
		}
		dst = dst[n*elem:]
		a++
	}
	if a < b {
		box := append([]dim{{b - a, d.stride, row}}, g.s.dims[axis+1:]...)
		if err := g.box(dst, base+a*step, box); err != nil {
			return err
		}
		dst = dst[(b-a)*row*elem:]
	}
	if tail := hi - b*row; tail > 0 {
		return g.linear(dst, base+b*step, axis+1, 0, tail)
	}
	return nil
}

// box fetches a whole box. Its dimensions are walked in the order of the source,
// so that one read serves as many elements as lie near each other, and written
// wherever the output has them.
func (g *gather) box(dst []byte, base int64, dims []dim) error {
	p := planOf(dims, g.s.elem)
	return g.far(dst, base, 0, p.far, p.inner, p.piece, p.span)
}

// plan is how a box is read.
type plan struct {
	far   []dim // each index of them takes reads of its own, the smallest stride last
	inner []dim // what one read takes in
	span  int64 // its length in elements
	piece int64 // how many indices of the last of far one read takes in too
}

func planOf(dims []dim, elem int64) plan {
	var repeat, walk []dim // stride 0, and the rest with the smallest stride last
	for _, d := range dims {
		switch {
		case d.size == 1: // of a request that has one index of it
		case d.stride == 0:
			repeat = append(repeat, d)
		default:
			walk = append(walk, d)
		}
	}
	slices.SortStableFunc(walk, func(a, b dim) int {
		return int(min(1, max(-1, b.stride-a.stride)))
	})
	near, count := 0, int64(1)
	p := plan{span: 1, piece: 1}
	for near < len(walk) {
		d := walk[len(walk)-1-near]
		hi, reach := bits.Mul64(uint64(d.size-1), uint64(d.stride))
		if hi != 0 || reach > gatherSpan {
			break
		}
		s, c := p.span+int64(reach), count*d.size
		if s*elem > gatherSpan || s*elem > sparseGap && (d.stride-p.span)*elem > sparseGap {
			break
		}
		near, p.span, count = near+1, s, c
	}
	p.far = walk[:len(walk)-near]
	p.inner = slices.Concat(walk[len(walk)-near:], repeat)
	// A dimension too long for one read is taken in pieces.
	if len(p.far) > 0 {
		d := p.far[len(p.far)-1]
		if (d.stride-p.span)*elem <= sparseGap {
			p.piece = max(1, min(d.size, (gatherSpan/elem-p.span)/d.stride+1))
		}
	}
	return p
}

// readCost is what a read costs beside its bytes, in bytes.
const readCost = sparseGap

// cost estimates what the reads of a plan cost, in bytes.
func (p plan) cost(elem int64) int64 {
	reads, span := 1., p.span
	for i, d := range p.far {
		if i == len(p.far)-1 && p.piece > 1 {
			span += (p.piece - 1) * d.stride
			reads *= float64((d.size + p.piece - 1) / p.piece)
		} else {
			reads *= float64(d.size)
		}
	}
	return int64(min(reads*float64(readCost+span*elem), 1<<60))
}

// far walks the outer dimensions. Of the last of them one read takes a piece, where
// what lies between is worth reading, or else many reads fill the scratch buffer: the
// more elements are scattered at once, the longer are the runs that they fill.
func (g *gather) far(dst []byte, base, out int64, dims, inner []dim, piece, span int64) error {
	elem := g.s.elem
	if len(dims) == 0 {
		if err := g.fetch(base, span*elem); err != nil {
			return err
		}
		scatter(dst[out*elem:], g.scratch, elem, inner)
		return nil
	}
	d := dims[0]
	if len(dims) > 1 {
		for i := int64(0); i < d.size; i++ {
			if err := g.far(dst, base+i*d.stride*elem, out+i*d.out, dims[1:], inner, piece, span); err != nil {
				return err
			}
		}
		return nil
	}
	if piece > 1 {
		for i := int64(0); i < d.size; i += piece {
			n := min(piece, d.size-i)
			if err := g.fetch(base+i*d.stride*elem, ((n-1)*d.stride+span)*elem); err != nil {
				return err
			}
			part := append([]dim{{n, d.stride, d.out}}, inner...)
			scatter(dst[(out+i*d.out)*elem:], g.scratch, elem, part)
		}
		return nil
	}
	if len(inner) == 1 && inner[0] == (dim{span, 1, 1}) { // rows, whole in both
		for i := int64(0); i < d.size; i++ {
			at := (out + i*d.out) * elem
			if err := g.read(dst[at:at+span*elem], base+i*d.stride*elem); err != nil {
				return err
			}
		}
		return nil
	}
	// Runs that lie a power of two apart would have the same place in the processor's cache.
	pitch := span + (apart+elem-1)/elem
	batch := max(1, gatherSpan/(pitch*elem))
	for i := int64(0); i < d.size; i += batch {
		n := min(batch, d.size-i)
		g.grow(n * pitch * elem)
		for k := range n {
			if err := g.read(g.scratch[k*pitch*elem:][:span*elem], base+(i+k)*d.stride*elem); err != nil {
				return err
			}
		}
		part := append([]dim{{n, pitch, d.out}}, inner...)
		scatter(dst[(out+i*d.out)*elem:], g.scratch, elem, part)
	}
	return nil
}

// fetch fills the scratch buffer with n bytes of the source.
func (g *gather) fetch(off, n int64) error {
	g.grow(n)
	return g.read(g.scratch, off)
}

func (g *gather) grow(n int64) {
	if int64(cap(g.scratch)) < n {
		g.done()
		g.buffer = borrow(max(n, gatherSpan))
		g.scratch = *g.buffer
	}
	g.scratch = g.scratch[:n]
}

func (g *gather) read(p []byte, off int64) error {
	return Fill(g.from, g.s.src, p, off)
}
