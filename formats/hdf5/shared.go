package hdf5

// sharedIndex is one index of the table of shared object header messages (III.I).
// The messages lie in a fractal heap; how they are indexed matters to writers only.
type sharedIndex struct {
	kinds uint16 // bit n: messages of type n
	heap  uint64
}

// maxSharedIndexes is H5O_SHMESG_MAX_NINDEXES.
const maxSharedIndexes = 8

func (m *metadata) readSharedTable(addr uint64, count int) error {
	if count > maxSharedIndexes {
		return &FormatError{m.f.offset(addr), "shared message table: too many indexes"}
	}
	each := 1 + 1 + 2 + 4 + 2 + 2 + 2 + 2*m.f.offsetSize
	c, err := m.checked(addr, uint64(4+count*each+4), "SMTB", "shared message table")
	if err != nil {
		return err
	}
	for range count {
		c.skip(2) // version, type of index
		kinds := c.u16()
		c.skip(4 + 2 + 2 + 2) // smallest message, cut-offs, number of messages
		c.address()           // index
		m.f.sohm = append(m.f.sohm, sharedIndex{kinds, c.address()})
	}
	return c.err()
}

// resolve returns a message's own body: a shared message holds a reference to it
// (IV.A.2.q), to a committed datatype's header or into the heap of shared messages.
func (m *metadata) resolve(msg *message) (*message, error) {
	if msg.flags&flagShared == 0 {
		return msg, nil
	}
	c := msg.cursor("shared message")
	found, err := m.follow(c, msg.kind)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// follow decodes a reference to a shared message of a kind and fetches the message.
func (m *metadata) follow(c *cursor, kind uint16) (*message, error) {
	const inHeap, committed = 1, 2
	version, where := c.u8(), c.u8()
	switch version {
	case 1:
		// A symbol table entry follows whose name offset means nothing (H5Oshared.c).
		c.skip(6 + m.f.lengthSize)
		where = committed
	case 2:
		where = committed
	case 3:
	default:
		return nil, c.errorf("version %d", version)
	}
	switch where {
	case inHeap:
		id := c.next(8)
		if err := c.err(); err != nil {
			return nil, err
		}
		body, err := m.sharedObject(kind, id)
		if err != nil {
			return nil, err
		}
		if body == nil {
			return nil, c.errorf("no heap of shared messages of type %#x", kind)
		}
		return &message{f: m.f, kind: kind, body: body, off: c.off}, nil
	case committed:
		addr := c.address()
		if err := c.err(); err != nil {
			return nil, err
		}
		h, err := m.header(addr)
		if err != nil {
			return nil, err
		}
		target := h.find(kind)
		if target == nil || target.flags&flagShared != 0 {
			return nil, c.errorf("no message of type %#x in the object header at address %#x", kind, addr)
		}
		return target, nil
	}
	return nil, c.errorf("kept in place %d", where)
}

// sharedObject fetches a message of a kind from the heap of its kind; nil if there
// is no such heap.
func (m *metadata) sharedObject(kind uint16, id []byte) ([]byte, error) {
	for _, s := range m.f.sohm {
		if kind < 16 && s.kinds&(1<<kind) != 0 {
			h, err := m.openHeap(s.heap)
			if err != nil {
				return nil, err
			}
			return h.object(m, id)
		}
	}
	return nil, nil
}
