package hdf5

// Types of header messages (IV.A.2).
const (
	messageDataspace    = 0x01
	messageLinkInfo     = 0x02
	messageDatatype     = 0x03
	messageOldFill      = 0x04
	messageFill         = 0x05
	messageLink         = 0x06
	messageExternal     = 0x07
	messageLayout       = 0x08
	messagePipeline     = 0x0b
	messageAttribute    = 0x0c
	messageSharedTable  = 0x0f
	messageContinuation = 0x10
	messageSymbolTable  = 0x11
	messageAttributes   = 0x15
	messageCacheImage   = 0x18
)

// unknown reports whether the format defines no message of a type (H5O_msg_class_g).
func unknown(kind uint16) bool { return kind == 0x09 || kind > messageCacheImage }

// Flags of header messages.
const (
	flagShared      = 0x02
	flagFailUnknown = 0x80
)

// maxHeader is how many bytes of continuations one object header may have: room for
// thousands of attributes of the largest size that is kept in a header.
const maxHeader = 256 << 20

// message is one header message as it lies in the file.
type message struct {
	f     *File
	kind  uint16
	flags uint8
	body  []byte
	off   int64 // of body in the file
}

func (m *message) cursor(what string) *cursor {
	return &cursor{f: m.f, b: m.body, off: m.off, what: what}
}

// header is an object header: the list of its messages, continuations followed.
type header struct {
	addr     uint64
	messages []message

	seen  map[uint64]bool // continuation blocks
	total uint64          // bytes of continuation blocks
}

// find returns the first message of a kind, or nil.
func (h *header) find(kind uint16) *message {
	for i := range h.messages {
		if h.messages[i].kind == kind {
			return &h.messages[i]
		}
	}
	return nil
}

// header reads an object header of either version (IV.A.1). Continuation blocks
// are followed in the order they are found; a block that was read before ends it.
func (m *metadata) header(addr uint64) (*header, error) {
	start, err := m.bytes(addr, 4, "object header")
	if err != nil {
		return nil, err
	}
	if string(start) == "OHDR" {
		return m.header2(addr)
	}
	if start[0] != 1 {
		return nil, &FormatError{m.f.offset(addr), "object header: no signature and not version 1"}
	}
	return m.header1(addr)
}

// block is a piece of an object header.
type block struct{ addr, length uint64 }

func (m *metadata) header1(addr uint64) (*header, error) {
	c, err := m.cursor(addr, 12, "object header")
	if err != nil {
		return nil, err
	}
	c.skip(2) // version, reserved
	c.skip(2) // number of messages: continuations are found without it
	c.skip(4) // reference count
	size := c.u32()
	h := &header{addr: addr}
	// The first message begins at the next multiple of eight from the header's start.
	blocks := []block{{addr + 16, uint64(size)}}
	for i := 0; i < len(blocks); i++ {
		c, err := m.cursor(blocks[i].addr, blocks[i].length, "object header")
		if err != nil {
			return nil, err
		}
		for c.remaining() >= 8 {
			kind, n, flags := c.u16(), c.u16(), c.u8()
			c.skip(3)
			if blocks, err = h.add(c, kind, n, flags, blocks); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

func (m *metadata) header2(addr uint64) (*header, error) {
	c, err := m.cursor(addr, min(64, uint64(m.f.size-m.f.base)-addr), "object header")
	if err != nil {
		return nil, err
	}
	c.skip(4)
	version, flags := c.u8(), c.u8()
	if version != 2 {
		return nil, c.errorf("version %d", version)
	}
	if flags&0x20 != 0 {
		c.skip(16) // times of access, modification, change, birth
	}
	if flags&0x10 != 0 {
		c.skip(4) // when attributes become dense
	}
	size := c.uint(1 << (flags & 3))
	if err := c.err(); err != nil {
		return nil, err
	}
	prefix := uint64(c.pos)
	if size > uint64(m.f.size) {
		return nil, c.errorf("%d bytes of messages", size)
	}
	h := &header{addr: addr}
	blocks := []block{{addr, prefix + size + 4}}
	for i := 0; i < len(blocks); i++ {
		signature := "OCHK"
		if i == 0 {
			signature = "OHDR"
		}
		c, err := m.checked(blocks[i].addr, blocks[i].length, signature, "object header")
		if err != nil {
			return nil, err
		}
		if i == 0 {
			c.pos = int(prefix)
		}
		lead := 4
		if flags&4 != 0 {
			lead = 6 // with the order of creation
		}
		// What is too short for another message is a gap.
		for c.remaining() >= lead {
			kind, n, messageFlags := uint16(c.u8()), c.u16(), c.u8()
			c.skip(lead - 4)
			if blocks, err = h.add(c, kind, n, messageFlags, blocks); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

// add takes the n bytes of a message from a block, and appends the message, or to
// blocks what a continuation message points to.
func (h *header) add(in *cursor, kind, n uint16, flags uint8, blocks []block) ([]block, error) {
	msg := message{in.f, kind, flags, nil, in.off + int64(in.pos)}
	msg.body = in.next(uint64(n))
	if err := in.err(); err != nil {
		return nil, err
	}
	if kind == 0 { // NIL
		return blocks, nil
	}
	// The writer says that no reader may pass over this message (IV.A.1).
	if flags&flagFailUnknown != 0 && unknown(kind) {
		return nil, msg.cursor("object header message").errorf("unknown type %#x, which must not be ignored", kind)
	}
	if kind != messageContinuation {
		h.messages = append(h.messages, msg)
		return blocks, nil
	}
	c := msg.cursor("object header continuation")
	next := block{c.address(), c.length()}
	if err := c.err(); err != nil {
		return nil, err
	}
	if h.seen == nil {
		h.seen = map[uint64]bool{blocks[0].addr: true}
	}
	if h.seen[next.addr] {
		return nil, c.errorf("leads back to address %#x", next.addr)
	}
	h.seen[next.addr] = true
	if h.total += next.length; h.total > maxHeader || next.length > maxHeader {
		return nil, c.errorf("more than %d bytes", maxHeader)
	}
	return append(blocks, next), nil
}
