package numpy

import (
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/quantity"
	"wfs/formats/segment"
)

// Bounds of what is made of the members of a file and the fields of their records, and of what
// is read for it.
const (
	maxTensors = 500_000   // omitted ones among them
	maxHeaders = 256 << 20 // bytes of all headers
)

// collector makes the tensors of a checkpoint.
type collector struct {
	out   *checkpoint.Checkpoint
	bands *segment.Bands
	keys  map[string]int // how often each was wanted
	// arrays counts what was listed, of any type; headers the bytes that were read of them.
	arrays  int
	headers int64
	// objects is what is kept of arrays that no tensor can hold, room how many bytes more.
	objects map[string]array
	room    int64
	// bfloats, bytes and wides count arrays of two, of one byte and of long floats.
	bfloats, bytes, wides int
}

func newCollector(out *checkpoint.Checkpoint, bands *segment.Bands) *collector {
	return &collector{out: out, bands: bands, keys: map[string]int{}, objects: map[string]array{}, room: maxTexts}
}

// array lists what a .npy holds, whose header is h. The bytes of file that follow it are
// noted.
func (c *collector) array(key string, h *header, file segment.Data) error {
	if h.size > file.Size()-h.data {
		return fmt.Errorf("its array of %v takes %d bytes, %d are left", h.shape, h.size, file.Size()-h.data)
	}
	c.arrays++
	if c.headers += h.data; c.headers > maxHeaders {
		return fmt.Errorf("the headers of its arrays have more than %d bytes", maxHeaders)
	}
	if h.objects() {
		c.out.Unpickled = true
		c.out.Omitted = append(c.out.Omitted, checkpoint.Omitted{Key: orTensor(key), Reason: h.reason()})
		return nil
	}
	if rest := file.Size() - h.data - h.size; rest > 0 {
		c.out.Notes = append(c.out.Notes, fmt.Sprintf("%swhat follows its array, %s, is not shown", quoted(key), quantity.Of(rest, "byte")))
	}
	return c.element(key, &h.element, layout{file, h.data, h.shape, strides(h.shape, h.width, h.fortran)})
}

// quoted is a key for a note, "" for none.
func quoted(key string) string {
	if key == "" {
		return ""
	}
	return fmt.Sprintf("%.100q: ", key)
}

// layout is where elements lie: (i, j, …) at byte off+i*stride[0]+j*stride[1]+… of a file.
type layout struct {
	file          segment.Data
	off           int64
	shape, stride []int64
}

// strides are the distances between elements of width bytes.
func strides(shape []int64, width int64, fortran bool) []int64 {
	s := make([]int64, len(shape))
	for i := range shape {
		at := i
		if !fortran {
			at = len(shape) - 1 - i
		}
		s[at] = width
		width *= max(1, shape[at])
	}
	return s
}

// data is elements of width bytes in C order.
func (l layout) data(width int64, bands *segment.Bands) (segment.Data, error) {
	count, err := segment.Count(l.shape)
	if err != nil || count == 0 {
		return segment.Literal(nil), err
	}
	// Records are seldom a multiple of each of their fields: these are taken in pieces of
	// what divides both.
	piece := width
	for _, s := range l.stride {
		piece = gcd(piece, s)
	}
	shape, stride := slices.Clone(l.shape), make([]int64, len(l.stride))
	for i, s := range l.stride {
		stride[i] = s / piece
	}
	if piece < width {
		shape, stride = append(shape, width/piece), append(stride, 1)
	}
	return segment.NewStrided(bands, l.file, l.file.Size(), l.off, piece, shape, stride)
}

// inner is the layout of what elements are arrays of, in C order, and the bytes of one.
func (l layout) inner(e *element) (layout, int64) {
	width := e.width
	for _, n := range e.shape {
		width /= max(1, n)
	}
	l.shape, l.stride = slices.Concat(l.shape, e.shape), slices.Concat(l.stride, strides(e.shape, width, false))
	return l, width
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// element lists the elements that l has, as one tensor, or as one for each field.
func (c *collector) element(key string, e *element, l layout) error {
	if len(c.out.Tensors)+len(c.out.Omitted) >= maxTensors {
		return fmt.Errorf("it has more than %d tensors", maxTensors)
	}
	if reason := e.reason(); reason != "" {
		c.out.Omitted = append(c.out.Omitted, checkpoint.Omitted{Key: orTensor(key), Reason: reason})
		return c.text(key, e, l)
	}
	if len(e.shape) > 0 {
		inner := *e
		inner.shape = nil
		l, inner.width = l.inner(e)
		return c.element(key, &inner, l)
	}
	for i := range e.fields {
		f := &e.fields[i]
		at := l
		at.off += f.offset
		if err := c.element(join(key, f.name), &f.element, at); err != nil {
			return err
		}
	}
	if e.fields != nil {
		return nil
	}
	return c.tensor(key, e, l)
}

func (c *collector) tensor(key string, e *element, l layout) error {
	t := &checkpoint.Tensor{Key: c.unique(key), DType: e.dtype, Shape: l.shape}
	switch {
	case e.dtype == checkpoint.Invalid: // bytes of which nothing else is known
		t.DType, t.Void, t.Shape = checkpoint.U8, e.width, append(slices.Clone(l.shape), e.width)
		if e.extended() {
			t.Hidden = "float of more than 64 bits"
			c.wides++
		}
	case e.kind == 'V' && e.dtype == checkpoint.BF16:
		c.bfloats++
	case e.kind == 'V':
		c.bytes++
	case e.kind == 'M' || e.kind == 'm':
		c.keep(t.Key, array{DType: e.descr, Shape: l.shape})
	}
	data, err := l.data(e.width, c.bands)
	if err != nil {
		return fmt.Errorf("%.200q: %w", key, err)
	}
	if t.Data = data; e.swap > 0 {
		t.Data = segment.Swap(data, e.swap)
	}
	c.out.Tensors = append(c.out.Tensors, t)
	return nil
}

// join is the key of a field.
func join(key, field string) string {
	if key == "" {
		return field
	}
	return key + "." + field
}

// orTensor is the key of an array, which by itself has none.
func orTensor(key string) string {
	if key == "" {
		return "tensor"
	}
	return key
}

// unique is a key, with a number where another array has it: a field may be called like one.
func (c *collector) unique(key string) string {
	key = orTensor(key)
	for n := c.keys[key]; ; n++ {
		name := key
		if n > 0 {
			name = fmt.Sprintf("%s#%d", key, n+1)
		}
		if n == 0 || c.keys[name] == 0 {
			c.keys[key]++
			if name != key {
				c.keys[name]++
			}
			return name
		}
	}
}

// finish makes the notes and objects of a checkpoint.
func (c *collector) finish() {
	note := func(n int, text string) {
		if n > 0 {
			c.out.Notes = append(c.out.Notes, quantity.Of(n, "array")+" "+text)
		}
	}
	note(c.bfloats, "of two bytes without a type (V2) taken for bfloat16, which JAX and MLX write so")
	note(c.bytes, "of one byte without a type (V1) shown as bytes: they may be float8, or int4")
	note(c.wides, "of long double shown as bytes, and not in the view: safetensors has no such dtype")
	if len(c.objects) > 0 {
		c.out.Objects = c.objects
	}
}
