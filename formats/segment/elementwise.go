package segment

import (
	"io"
	"sync"
)

// Elementwise applies a function to aligned elements of From while they are read:
// a byte swap, a conjugation, a negation, or a cast to wider elements.
type Elementwise struct {
	From Data
	// In and Out are the bytes of an element before and after.
	In, Out int64
	// Apply converts len(src)/In elements. Where In equals Out, dst and src may be
	// the same slice.
	Apply func(dst, src []byte)
}

// Size implements Data.
func (e *Elementwise) Size() int64 { return e.From.Size() / e.In * e.Out }

// scratch holds the buffers that a cast or an unaligned request needs for its
// time: no larger than a request, and reused.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 1<<20+64); return &b }}

// ReadAt implements Data.
func (e *Elementwise) ReadAt(p []byte, off int64) (int, error) {
	return e.ReadWith(io.ReaderAt.ReadAt, p, off)
}

// ReadWith implements Composite.
func (e *Elementwise) ReadWith(read ReadFunc, p []byte, off int64) (int, error) {
	p, atEnd, err := Clip(p, off, e.Size())
	if err != nil || len(p) == 0 {
		return 0, err
	}
	first, skip := off/e.Out, off%e.Out
	last := (off + int64(len(p)) + e.Out - 1) / e.Out
	count := last - first
	aligned := skip == 0 && count*e.Out == int64(len(p))

	if aligned && e.In == e.Out {
		if err := Fill(read, e.From, p, first*e.In); err != nil {
			return 0, err
		}
		e.Apply(p, p)
		return len(p), atEnd
	}
	src := borrow(count * e.In)
	defer scratch.Put(src)
	if err := Fill(read, e.From, *src, first*e.In); err != nil {
		return 0, err
	}
	dst := p
	if !aligned {
		wide := borrow(count * e.Out)
		defer scratch.Put(wide)
		dst = *wide
	}
	e.Apply(dst, *src)
	if !aligned {
		copy(p, dst[skip:])
	}
	return len(p), atEnd
}

func borrow(n int64) *[]byte {
	b := scratch.Get().(*[]byte)
	if int64(cap(*b)) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return b
}

// Fill is ReadFull by read.
func Fill(read ReadFunc, r io.ReaderAt, p []byte, off int64) error {
	if n, err := read(r, p, off); n < len(p) {
		return missing(err)
	}
	return nil
}

// Swap reverses the bytes of every element of the given width: big endian to
// little endian.
func Swap(from Data, width int64) Data {
	if width == 1 {
		return from
	}
	return &Elementwise{From: from, In: width, Out: width, Apply: func(dst, src []byte) {
		for i := int64(0); i+width <= int64(len(src)); i += width {
			for a, b := i, i+width-1; a <= b; a, b = a+1, b-1 {
				dst[a], dst[b] = src[b], src[a]
			}
		}
	}}
}
