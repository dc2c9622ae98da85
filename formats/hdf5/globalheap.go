package hdf5

// Variable-length values lie in global heap collections (III.E). One collection
// holds the values of many elements, so the last ones are kept for an operation.

// heapCache holds parsed collections by address.
type heapCache struct {
	collections map[uint64]*collection
	bytes       uint64
}

// maxHeapCache is the size of the collections that one operation keeps; a larger
// one is kept until the next is needed.
const maxHeapCache = 16 << 20

type collection struct {
	data    []byte
	objects map[uint32]span
}

type span struct{ at, n uint64 }

func (m *metadata) collection(addr uint64) (*collection, error) {
	if c := m.heaps.collections[addr]; c != nil {
		return c, nil
	}
	const what = "global heap collection"
	// Both heads are padded to a multiple of eight (H5HGpkg.h).
	pad := (8 - m.f.lengthSize%8) % 8
	head := uint64(8 + m.f.lengthSize + pad)
	c, err := m.cursor(addr, head, what)
	if err != nil {
		return nil, err
	}
	if !c.signature("GCOL") {
		return nil, c.errorf("no signature GCOL")
	}
	if version := c.u8(); version != 1 {
		return nil, c.errorf("version %d", version)
	}
	c.skip(3)
	size := c.length()
	if size < head {
		return nil, c.errorf("%d bytes", size)
	}
	if c, err = m.cursor(addr, size, what); err != nil {
		return nil, err
	}
	c.skip(int(head))
	g := &collection{c.b, make(map[uint32]span)}
	for c.remaining() >= int(head) {
		index := uint32(c.u16())
		c.skip(2 + 4) // reference count, reserved
		n := c.length()
		c.skip(pad)
		if index == 0 { // free space, always the last
			break
		}
		at := uint64(c.pos)
		if n > uint64(c.remaining()) {
			return nil, c.errorf("object %d has %d bytes", index, n)
		}
		g.objects[index] = span{at, n}
		c.next(min((n+7)&^7, uint64(c.remaining())))
	}
	if m.heaps.bytes+size > maxHeapCache || m.heaps.collections == nil {
		m.heaps = heapCache{collections: make(map[uint64]*collection)}
	}
	m.heaps.collections[addr] = g
	m.heaps.bytes += size
	return g, nil
}

// globalObject decodes a reference, an address and an index, and fetches its object.
func (m *metadata) globalObject(c *cursor) ([]byte, error) {
	addr, index := c.address(), c.u32()
	if err := c.err(); err != nil {
		return nil, err
	}
	g, err := m.collection(addr)
	if err != nil {
		return nil, err
	}
	s, ok := g.objects[index]
	if !ok {
		return nil, c.errorf("object %d is not in the global heap collection at address %#x", index, addr)
	}
	return g.data[s.at : s.at+s.n : s.at+s.n], nil
}
