package arrayprint

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

const (
	// maxPrinted is the most elements that are printed of a summary: one that has many axes
	// shows six of each.
	maxPrinted = 1 << 20
	// maxAxes is how many axes an array of NumPy has at most (ndarraytypes.h, NPY_MAXDIMS).
	maxAxes = 64
)

// Text writes a tensor as print() writes a NumPy array, without a line feed at the end. Of
// one with more than 1000 elements it reads and shows the corners.
func Text(w io.Writer, t *checkpoint.Tensor) error {
	r, err := newReader(t)
	if err != nil {
		return err
	}
	size, err := segment.Count(t.Shape)
	if err != nil {
		return err
	}
	p := &printer{shape: t.Shape, summary: size > threshold}
	if len(t.Shape) > maxAxes {
		return fmt.Errorf("it has %d axes, a NumPy array has %d at most", len(t.Shape), maxAxes)
	}
	if size == 0 {
		_, err := io.WriteString(w, "[]")
		return err
	}
	p.shown = 1
	for axis := range t.Shape {
		if p.shown *= len(p.indices(axis)); p.shown > maxPrinted {
			return fmt.Errorf("of its %d axes NumPy prints the corners, which are more than %d elements", len(t.Shape), maxPrinted)
		}
	}
	elements := make([]element, 0, p.shown)
	if elements, err = p.corners(elements, r, 0, 0); err != nil {
		return err
	}
	if len(t.Shape) == 0 {
		_, err := io.WriteString(w, r.scalar(elements[0]))
		return err
	}
	p.words = r.words(elements)
	out := bufio.NewWriter(w)
	out.WriteString(p.array(0, " ", lineWidth))
	return out.Flush()
}

// printer is one array that is printed.
type printer struct {
	shape   []int64
	summary bool
	shown   int      // elements
	words   []string // in C order, of which the next is printed
}

// indices are those that are shown of an axis.
func (p *printer) indices(axis int) []int64 {
	n := p.shape[axis]
	var all []int64
	for i := int64(0); i < n; i++ {
		if p.summary && n > 2*edgeItems && i == edgeItems {
			i = n - edgeItems
		}
		all = append(all, i)
	}
	return all
}

// corners appends the elements that are shown of the sub-array at index at of the axes
// before axis.
func (p *printer) corners(all []element, r reader, axis int, at int64) ([]element, error) {
	if axis == len(p.shape) {
		b := make([]byte, r.bytes)
		if err := segment.ReadFull(r.data, b, at*r.bytes); err != nil {
			return nil, err
		}
		return append(all, r.decode(b)), nil
	}
	indices := p.indices(axis)
	if axis < len(p.shape)-1 {
		var err error
		for _, i := range indices {
			if all, err = p.corners(all, r, axis+1, at*p.shape[axis]+i); err != nil {
				return nil, err
			}
		}
		return all, err
	}
	row := at * p.shape[axis]
	for len(indices) > 0 {
		n := 1
		for n < len(indices) && indices[n] == indices[n-1]+1 {
			n++
		}
		b := make([]byte, int64(n)*r.bytes)
		if err := segment.ReadFull(r.data, b, (row+indices[0])*r.bytes); err != nil {
			return nil, err
		}
		for ; len(b) > 0; b = b[r.bytes:] {
			all = append(all, r.decode(b[:r.bytes]))
		}
		indices = indices[n:]
	}
	return all, nil
}

// words are the elements of an array as they are written in it, all of one width.
func (r reader) words(elements []element) []string {
	words := make([]string, len(elements))
	switch r.form {
	case boolean:
		for i, e := range elements {
			words[i] = "False"
			if e.bits != 0 {
				words[i] = " True"
			}
		}
	case signed, unsigned:
		width := 0
		for i, e := range elements {
			words[i] = r.integer(e)
			width = max(width, len(words[i]))
		}
		for i, word := range words {
			words[i] = padLeft(word, width)
		}
	default:
		re, im := make([]float64, len(elements)), make([]float64, len(elements))
		for i, e := range elements {
			re[i], im[i] = e.re, e.im
		}
		format := newFloatFormat(re, r.bits, false)
		imaginary := newFloatFormat(im, r.bits, true)
		for i := range elements {
			words[i] = format.word(re[i])
			if r.form == complexOf {
				word := imaginary.word(im[i])
				digits := strings.TrimRight(word, " ")
				words[i] += digits + "j" + word[len(digits):]
			}
		}
	}
	return words
}

func (r reader) integer(e element) string {
	if r.form == signed {
		return strconv.FormatInt(int64(e.bits), 10)
	}
	return strconv.FormatUint(e.bits, 10)
}

// scalar is an array without axes.
func (r reader) scalar(e element) string {
	switch r.form {
	case boolean:
		if e.bits != 0 {
			return "True"
		}
		return "False"
	case signed, unsigned:
		return r.integer(e)
	case real:
		return scalar(e.re, r.bits)
	}
	part := func(v float64) string { return strings.TrimSuffix(scalar(v, r.bits), ".0") }
	im := part(e.im)
	if !strings.HasPrefix(im, "-") {
		im = "+" + im
	}
	if e.re == 0 && !math.Signbit(e.re) {
		return strings.TrimPrefix(im, "+") + "j"
	}
	return "(" + part(e.re) + im + "j)"
}

// array is the sub-array that the next words are of (_formatArray).
func (p *printer) array(axis int, indent string, width int) string {
	n, left := p.shape[axis], len(p.shape)-axis
	leading, trailing := int64(0), n
	short := p.summary && 2*edgeItems < n
	if short {
		leading, trailing = edgeItems, edgeItems
	}
	var b strings.Builder
	if left == 1 {
		line := indent
		add := func(word string) {
			// A line that has nothing yet is not wrapped: it would not help.
			if len(line)+len(word) > width-1 && len(line) > len(indent) {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = indent
			}
			line += word
		}
		for range leading {
			add(p.next())
			line += " "
		}
		if short {
			add("...")
			line += " "
		}
		for i := trailing; i > 1; i-- {
			add(p.next())
			line += " "
		}
		if n > 0 {
			add(p.next())
		}
		b.WriteString(line)
	} else {
		separator := strings.Repeat("\n", left-1)
		nested := func() { b.WriteString(indent + p.array(axis+1, indent+" ", width-1)) }
		for range leading {
			nested()
			b.WriteString(separator)
		}
		if short {
			b.WriteString(indent + "..." + separator)
		}
		for i := trailing; i > 1; i-- {
			nested()
			b.WriteString(separator)
		}
		nested()
	}
	return "[" + b.String()[len(indent):] + "]"
}

func (p *printer) next() string {
	word := p.words[0]
	p.words = p.words[1:]
	return word
}
