package hdf5

import "bytes"

// localHeap holds the names of an old group's links (III.D).
type localHeap struct {
	data []byte
	off  int64
}

func (m *metadata) openLocalHeap(addr uint64) (*localHeap, error) {
	c, err := m.cursor(addr, uint64(8+2*m.f.lengthSize+m.f.offsetSize), "local heap")
	if err != nil {
		return nil, err
	}
	if !c.signature("HEAP") {
		return nil, c.errorf("no signature HEAP")
	}
	if version := c.u8(); version != 0 {
		return nil, c.errorf("version %d", version)
	}
	c.skip(3)
	size := c.length()
	c.length() // free list
	data := c.address()
	if err := c.err(); err != nil {
		return nil, err
	}
	b, err := m.bytes(data, size, "local heap data")
	if err != nil {
		return nil, err
	}
	return &localHeap{b, m.f.offset(data)}, nil
}

// text is the string that ends in NUL at an offset in the heap.
func (h *localHeap) text(at uint64) (string, error) {
	if at < uint64(len(h.data)) {
		if n := bytes.IndexByte(h.data[at:], 0); n >= 0 {
			return string(h.data[at : at+uint64(n)]), nil
		}
	}
	return "", &FormatError{h.off, "local heap: no string where a name should be"}
}
