package segment

import (
	"fmt"
	"io"
	"slices"
)

// flipSpan is the most bytes that one read of a Flip fetches, where a row is no longer.
const flipSpan = 256 << 10

// Flip serves a C-order array with some of its axes reversed, as a slice with a negative
// step has them.
type Flip struct {
	src  Data
	elem int64
	// outer are the sizes of the axes above a block, the innermost last; flipped says which of
	// them are reversed.
	outer   []int64
	flipped []bool
	// inner are those of the axes within a block.
	inner        []int64
	innerFlipped []bool
	block        int64 // bytes
}

// NewFlip reverses the axes of the array of elements of elem bytes that src holds. It is src
// where none has more than one element.
func NewFlip(src Data, elem int64, shape []int64, flipped []bool) (Data, error) {
	count, err := Count(shape)
	if err != nil {
		return nil, err
	}
	if len(flipped) != len(shape) || count > src.Size()/max(elem, 1) || count*elem != src.Size() {
		return nil, fmt.Errorf("shape %v of %d bytes each does not fill %d bytes", shape, elem, src.Size())
	}
	f := &Flip{src: src, elem: elem, block: elem}
	first := len(shape) // of the axes within a block
	any := false
	for i := range shape {
		any = any || flipped[i] && shape[i] > 1
	}
	if !any || count == 0 {
		return src, nil
	}
	for first > 0 && f.block*shape[first-1] <= flipSpan {
		first--
		f.block *= shape[first]
	}
	f.outer, f.flipped = slices.Clone(shape[:first]), slices.Clone(flipped[:first])
	f.inner, f.innerFlipped = slices.Clone(shape[first:]), slices.Clone(flipped[first:])
	return f, nil
}

// Size implements Data.
func (f *Flip) Size() int64 { return f.src.Size() }

// ReadAt implements Data.
func (f *Flip) ReadAt(p []byte, off int64) (int, error) {
	return f.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements Composite. A run of blocks along the last of the outer axes is one
// read, whichever way it goes.
func (f *Flip) ReadWith(read ReadFunc, p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, f.Size())
	if err != nil || len(p) == 0 {
		return 0, err
	}
	for done := 0; done < len(p); {
		at := off + int64(done)
		index, skip := at/f.block, at%f.block
		run := max(1, min(flipSpan/f.block, (skip+int64(len(p)-done)+f.block-1)/f.block))
		from, n, backward := f.place(index, run)
		buf := borrow(n * f.block)
		err := Fill(read, f.src, *buf, from*f.block)
		if err == nil {
			for i := range n {
				f.reverse((*buf)[i*f.block:(i+1)*f.block], f.inner, f.innerFlipped)
			}
			if backward {
				f.reverse(*buf, []int64{n}, []bool{true})
			}
			done += copy(p[done:], (*buf)[skip:])
		}
		scratch.Put(buf)
		if err != nil {
			return done, err
		}
	}
	return len(p), atEnd
}

// place is where the blocks of the output from index on are in the source: n of them from
// the block from on, and whether the last comes first.
func (f *Flip) place(index, run int64) (from, n int64, backward bool) {
	n = 1
	scale := int64(1)
	for i := len(f.outer) - 1; i >= 0; i-- {
		size := f.outer[i]
		k := index % size
		index /= size
		last := i == len(f.outer)-1
		if last {
			n = min(run, size-k)
			backward = f.flipped[i]
		}
		switch {
		case f.flipped[i] && last:
			k = size - k - n
		case f.flipped[i]:
			k = size - 1 - k
		}
		from += k * scale
		scale *= size
	}
	return from, n, backward
}

// reverse reverses axes of an array in place.
func (f *Flip) reverse(b []byte, shape []int64, flipped []bool) {
	if len(shape) == 0 {
		return
	}
	n := shape[0]
	row := int64(len(b)) / n
	if len(shape) > 1 {
		for i := range n {
			f.reverse(b[i*row:(i+1)*row], shape[1:], flipped[1:])
		}
	}
	if !flipped[0] {
		return
	}
	for i, j := int64(0), n-1; i < j; i, j = i+1, j-1 {
		swapRows(b[i*row:(i+1)*row], b[j*row:(j+1)*row])
	}
}

func swapRows(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}
