package hdf5

import "bytes"

// Attribute is a named value of an object. Its bytes are in memory; the text of
// variable-length strings is read when it is asked for.
type Attribute struct {
	Name  string
	Dtype Datatype
	// Dims is the shape; nil for a scalar, and for a null dataspace.
	Dims []uint64
	// Null says that there is no value.
	Null bool

	m    *metadata
	data []byte
	off  int64
}

// Attrs reads the object's attributes, in the order of the file.
func (n node) Attrs() ([]Attribute, error) {
	n.m.mu.Lock()
	defer n.m.mu.Unlock()
	return n.m.attributes(n.addr)
}

func (m *metadata) attributes(addr uint64) ([]Attribute, error) {
	h, err := m.header(addr)
	if err != nil {
		return nil, err
	}
	var attrs []Attribute
	for i := range h.messages {
		msg := &h.messages[i]
		switch msg.kind {
		case messageAttribute:
			if msg, err = m.resolve(msg); err != nil {
				return nil, err
			}
			a, err := m.attribute(msg.cursor("attribute message"))
			if err != nil {
				return nil, err
			}
			attrs = append(attrs, *a)
		case messageAttributes:
			if attrs, err = m.denseAttributes(msg, attrs); err != nil {
				return nil, err
			}
		}
	}
	return attrs, nil
}

// attribute decodes an attribute message (IV.A.2.m).
func (m *metadata) attribute(c *cursor) (*Attribute, error) {
	const sharedType, sharedSpace = 1, 2
	version, flags := c.u8(), c.u8()
	nameSize, typeSize, spaceSize := uint64(c.u16()), uint64(c.u16()), uint64(c.u16())
	pad := func(n uint64) uint64 { return n }
	switch version {
	case 1:
		flags = 0 // reserved
		pad = func(n uint64) uint64 { return (n + 7) &^ 7 }
	case 2:
	case 3:
		c.skip(1) // character set of the name
	default:
		return nil, c.errorf("version %d", version)
	}
	part := func(n uint64, what string) *cursor {
		at := c.pos
		b := c.next(pad(n))
		return &cursor{f: m.f, b: b, off: c.off + int64(at), what: what}
	}
	name := part(nameSize, "attribute name")
	a := &Attribute{m: m, Name: name.text()}
	kind, space := part(typeSize, "attribute datatype"), part(spaceSize, "attribute dataspace")
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := name.err(); err != nil {
		return nil, err
	}
	if flags&sharedType != 0 {
		msg, err := m.follow(kind, messageDatatype)
		if err != nil {
			return nil, err
		}
		kind = msg.cursor("attribute datatype")
	}
	if flags&sharedSpace != 0 {
		msg, err := m.follow(space, messageDataspace)
		if err != nil {
			return nil, err
		}
		space = msg.cursor("attribute dataspace")
	}
	t, err := decodeDatatype(kind, 0)
	if err != nil {
		return nil, err
	}
	s, err := decodeDataspace(space)
	if err != nil {
		return nil, err
	}
	count, ok := s.elements()
	n, ok2 := product(count, []uint64{t.Size})
	if !ok || !ok2 || n > uint64(c.remaining()) {
		return nil, c.errorf("a value of %d × %d bytes in %d", s.dims, t.Size, c.remaining())
	}
	el, dims := t.element(s.dims)
	a.Dtype, a.Dims, a.Null = *el, dims, s.null
	a.off = c.off + int64(c.pos)
	a.data = c.next(n)
	if a.Dtype.narrow() {
		a.data = bytes.Clone(a.data)
		a.Dtype.widen(a.data)
	}
	return a, nil
}

// denseAttributes reads the attributes of an object that has many: they lie in a
// fractal heap, and a B-tree has their heap IDs in the order of their names' hashes.
func (m *metadata) denseAttributes(msg *message, attrs []Attribute) ([]Attribute, error) {
	const sharedMessage = 2
	c := msg.cursor("attribute info message")
	version, flags := c.u8(), c.u8()
	if flags&1 != 0 {
		c.skip(2) // greatest order of creation
	}
	heapAddr, names := c.address(), c.address()
	if err := c.err(); err != nil {
		return nil, err
	}
	if version != 0 {
		return nil, c.errorf("version %d", version)
	}
	if heapAddr == undefined {
		return attrs, nil
	}
	heap, err := m.openHeap(heapAddr)
	if err != nil {
		return nil, err
	}
	var ids, shared [][]byte
	err = m.walkTree2(names, tree2AttributeName, func(r *cursor) error {
		id := r.next(8)
		if r.u8()&sharedMessage != 0 {
			shared = append(shared, id)
		} else {
			ids = append(ids, id)
		}
		return r.err()
	})
	if err != nil {
		return nil, err
	}
	for _, id := range heap.inOrder(ids) {
		body, err := heap.object(m, id)
		if err != nil {
			return nil, err
		}
		a, err := m.attribute(&cursor{f: m.f, b: body, off: m.f.offset(heapAddr), what: "attribute"})
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, *a)
	}
	for _, id := range shared {
		body, err := m.sharedObject(messageAttribute, id)
		if err != nil {
			return nil, err
		}
		if body == nil {
			return nil, c.errorf("no heap of shared attributes")
		}
		a, err := m.attribute(&cursor{f: m.f, b: body, off: c.off, what: "shared attribute"})
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, *a)
	}
	return attrs, nil
}
