package hdf5

import (
	"cmp"
	"fmt"
	"io"
	"wfs/formats/segment"
)

// Dataset is an array of elements. Its methods are safe for concurrent use.
type Dataset struct {
	node
	// Dtype is the type of one element. An array type's dimensions are in Dims.
	Dtype Datatype
	// Dims is the shape; nil for a scalar, and for a null dataspace.
	Dims []uint64
	// Null says that the dataset has no elements and no shape.
	Null bool

	space   dataspace
	element uint64 // bytes of an element of the dataspace
	size    int64  // of all bytes
	layout  *layout
	filters []filter
	fill    []byte
	storage string // why the bytes cannot be read

	// In bytes, with the element as one more dimension:
	dims  []uint64
	chunk []uint64
	grid  []uint64 // chunks in each dimension
	most  []uint64 // the same for the greatest extent; undefined where unlimited

	ahead ahead
}

// dataset decodes a dataset's header.
func (m *metadata) dataset(n node, h *header) (*Dataset, error) {
	d := &Dataset{node: n}
	t, err := m.datatype(h)
	if err != nil {
		return nil, err
	}
	msg, err := m.resolve(h.find(messageDataspace))
	if err != nil {
		return nil, err
	}
	if d.space, err = decodeDataspace(msg.cursor("dataspace message")); err != nil {
		return nil, err
	}
	count, ok := d.space.elements()
	if !ok {
		return nil, &UnsupportedError{fmt.Sprintf("a dataspace of %d", d.space.dims)}
	}
	d.element = t.Size
	total, ok := product(count, []uint64{t.Size})
	if !ok {
		return nil, &UnsupportedError{fmt.Sprintf("a dataspace of %d with elements of %d bytes", d.space.dims, t.Size)}
	}
	d.size = int64(total)
	d.Null = d.space.null
	el, dims := t.element(d.space.dims)
	d.Dtype, d.Dims = *el, dims
	if el.Kind != KindNone && el.Kind != KindVarString {
		if d.fill, err = m.fillValue(h, t.Size); err != nil {
			return nil, err
		}
	}
	if msg := h.find(messagePipeline); msg != nil {
		if msg, err = m.resolve(msg); err != nil {
			return nil, err
		}
		if d.filters, err = decodePipeline(msg.cursor("filter pipeline message")); err != nil {
			return nil, err
		}
	}
	msg = h.find(messageLayout)
	if msg == nil {
		return nil, &FormatError{m.f.offset(n.addr), "dataset: no layout message"}
	}
	if d.layout, err = m.decodeLayout(msg, t.Size); err != nil {
		return nil, err
	}
	return d, d.check(m, h)
}

// check compares the layout with the shape and finds reasons why it cannot be read.
func (d *Dataset) check(m *metadata, h *header) error {
	l := d.layout
	fail := func(format string, args ...any) error {
		return &FormatError{m.f.offset(d.addr), "dataset: " + fmt.Sprintf(format, args...)}
	}
	if msg := h.find(messageExternal); msg != nil {
		d.because("its data lie in " + m.externalFiles(msg))
		return nil
	}
	switch l.class {
	case layoutVirtual:
		reason := "virtual dataset reads other files"
		if l.virtual != "" {
			reason += ": " + l.virtual
		}
		d.because(reason)
	case layoutCompact:
		// An empty one stands for data never written.
		if l.size != 0 && l.size < uint64(d.size) {
			return fail("%d bytes of compact data for %d", l.size, d.size)
		}
	case layoutContiguous:
		if l.addr == undefined || d.size == 0 {
			break
		}
		if l.version >= 3 && l.size < uint64(d.size) {
			return fail("%d bytes of contiguous data for %d", l.size, d.size)
		}
		if _, err := m.f.span(l.addr, uint64(d.size), "contiguous data"); err != nil {
			return err
		}
	case layoutChunked:
		if len(l.chunk) != len(d.space.dims) || d.Null {
			return fail("chunks of rank %d for a shape of rank %d", len(l.chunk), len(d.space.dims))
		}
		if l.chunkBytes > uint64(m.f.opt.MaxChunk) {
			d.because(fmt.Sprintf("chunks of %d bytes; the limit is %d", l.chunkBytes, m.f.opt.MaxChunk))
		}
		if !d.grids() {
			return fail("chunks of %d for a shape of %d", l.chunk, d.space.dims)
		}
		reason, missing := "", uint32(0)
		steps, _, _ := d.steps(0, int(min(l.chunkBytes, uint64(m.f.opt.MaxChunk))))
		for i := range steps {
			if why := steps[i].unsupported(l.chunkBytes); why != "" {
				reason = cmp.Or(reason, why)
				missing |= 1 << i
			}
		}
		if missing != 0 && d.storage == "" && !d.unused(m, missing) {
			d.because(reason)
		}
	}
	return nil
}

// because remembers the first reason why the bytes cannot be read.
func (d *Dataset) because(reason string) {
	if d.storage == "" {
		d.storage = reason
	}
}

// grids computes the chunk grid.
func (d *Dataset) grids() bool {
	one := []uint64{1}
	d.dims = append(append([]uint64(nil), d.space.dims...), d.element)
	d.chunk = append(append([]uint64(nil), d.layout.chunk...), d.element)
	for i, n := range d.layout.chunk {
		d.grid = append(d.grid, ceil(d.space.dims[i], n))
		if d.space.max[i] == undefined {
			d.most = append(d.most, undefined)
		} else {
			d.most = append(d.most, ceil(d.space.max[i], n))
		}
	}
	d.grid, d.most = append(d.grid, one...), append(d.most, one...)
	_, ok := product(1, d.grid)
	return ok
}

func ceil(a, b uint64) uint64 {
	if a == 0 {
		return 0
	}
	return (a-1)/b + 1
}

// Size is the number of bytes that ReadAt serves.
func (d *Dataset) Size() int64 { return d.size }

// Unsupported is the reason why the dataset's values cannot be shown, or "". ReadAt
// fails with it.
func (d *Dataset) Unsupported() string {
	switch {
	case d.storage != "":
		return d.storage
	case d.Dtype.Kind == KindVarString:
		return "variable-length strings"
	}
	return d.Dtype.Reason
}

// Contiguous returns where in the file the dataset's bytes are, if they are one
// plain range of it: no chunks, no filters, nothing that was never written.
func (d *Dataset) Contiguous() (off, n int64, ok bool) {
	if d.Dtype.narrow() { // what ReadAt gives is not what the file has
		return 0, 0, false
	}
	return d.stored()
}

// stored is Contiguous, whatever the bytes mean.
func (d *Dataset) stored() (off, n int64, ok bool) {
	l := d.layout
	switch {
	case d.storage != "" || d.size == 0:
		return 0, 0, false
	case l.class == layoutCompact && l.size != 0:
		// Data in a header are metadata: the newest may be in the cache image.
		return l.off, d.size, len(d.f.image.overlapping(d.f.address(l.off), uint64(d.size))) == 0
	case l.class == layoutContiguous && l.addr != undefined:
		return d.f.offset(l.addr), d.size, true
	}
	return 0, 0, false
}

// ReadAt reads the dataset's bytes: elements in C order, each as it is in the file, save
// that integers of which only some bits count are made whole ones. It implements
// io.ReaderAt for every layout.
func (d *Dataset) ReadAt(p []byte, off int64) (int, error) {
	if reason := d.Unsupported(); reason != "" {
		return 0, fmt.Errorf("dataset at address %#x: %w", d.addr, &UnsupportedError{reason})
	}
	if d.Dtype.narrow() {
		return d.readNarrow(p, off)
	}
	return d.readRaw(p, off)
}

// readRaw reads bytes whatever they mean.
func (d *Dataset) readRaw(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("hdf5: read at the negative offset %d", off)
	}
	if off >= d.size {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > d.size-off {
		p, end = p[:d.size-off], io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if at, _, ok := d.stored(); ok {
		if err := segment.ReadFull(d.f.r, p, at+off); err != nil {
			return 0, fmt.Errorf("hdf5: dataset at address %#x, byte %d: %w", d.addr, off, err)
		}
		return len(p), end
	}
	if d.layout.class == layoutCompact && d.layout.size != 0 {
		if err := d.f.readStructure(p, d.f.address(d.layout.off+off)); err != nil {
			return 0, fmt.Errorf("hdf5: dataset at address %#x, byte %d: %w", d.addr, off, err)
		}
		return len(p), end
	}
	if d.layout.class != layoutChunked || d.layout.addr == undefined {
		fill(p, d.fill, off)
		return len(p), end
	}
	if err := d.readChunks(p, off); err != nil {
		return 0, fmt.Errorf("dataset at address %#x: %w", d.addr, err)
	}
	return len(p), end
}
