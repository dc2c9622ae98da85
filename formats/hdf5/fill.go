package hdf5

// fillValue finds the value of elements that were never written (IV.A.2.e and f):
// nil where it is zeros, by default or because the file leaves it undefined.
func (m *metadata) fillValue(h *header, size uint64) ([]byte, error) {
	old := false
	msg := h.find(messageFill)
	if msg == nil {
		msg, old = h.find(messageOldFill), true
	}
	if msg == nil {
		return nil, nil
	}
	msg, err := m.resolve(msg)
	if err != nil {
		return nil, err
	}
	c := msg.cursor("fill value message")
	defined := true
	if !old {
		switch version := c.u8(); version {
		case 1, 2:
			c.skip(2) // when space is allocated, when the value is written
			defined = c.u8() != 0
		case 3:
			defined = c.u8()&0x20 != 0
		default:
			return nil, c.errorf("version %d", version)
		}
	}
	if !defined {
		return nil, c.err()
	}
	n := uint64(c.u32())
	value := c.next(n)
	if err := c.err(); err != nil || n == 0 {
		return nil, err
	}
	if n != size {
		return nil, c.errorf("%d bytes for elements of %d", n, size)
	}
	for _, b := range value {
		if b != 0 {
			return append([]byte(nil), value...), nil
		}
	}
	return nil, nil
}

// fill writes the value over p, the bytes from off of endless elements.
func fill(p, value []byte, off int64) {
	if value == nil {
		clear(p)
		return
	}
	size := len(value)
	n := copy(p, value[int(off%int64(size)):])
	if n < len(p) {
		n += copy(p[n:], value)
	}
	// From here p repeats itself: what belongs at n is at every n minus a whole number
	// of elements too.
	for n < len(p) {
		n += copy(p[n:], p[n%size:n])
	}
}
