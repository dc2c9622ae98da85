package hdf5

import "fmt"

// LinkKind says how a link finds its object.
type LinkKind uint8

// Kinds of links. A user-defined link needs code that is not in the file.
const (
	HardLink LinkKind = iota
	SoftLink
	ExternalLink
	UserLink
)

// Link is one name in a group.
type Link struct {
	Name string
	Kind LinkKind
	// Addr is the object header of a hard link's object: its identity.
	Addr uint64
	// Target is the path that a soft or an external link holds. A soft link's path
	// begins at its own group unless it begins with a slash.
	Target string
	// File is the file that an external link names. It is never opened.
	File string

	order   int64 // of creation
	ordered bool
}

// decodeLink decodes a link message (IV.A.2.g).
func decodeLink(c *cursor) (Link, error) {
	var l Link
	version, flags := c.u8(), c.u8()
	if version != 1 {
		return l, c.errorf("version %d", version)
	}
	kind := uint8(0)
	if flags&0x08 != 0 {
		kind = c.u8()
	}
	if flags&0x04 != 0 {
		l.order, l.ordered = int64(c.u64()), true
	}
	if flags&0x10 != 0 {
		c.skip(1) // character set: names are bytes here
	}
	l.Name = string(c.next(c.uint(1 << (flags & 3))))
	switch kind {
	case 0:
		l.Addr = c.address()
	case 1:
		l.Kind = SoftLink
		l.Target = string(c.next(uint64(c.u16())))
	case 64:
		l.Kind = ExternalLink
		value := &cursor{f: c.f, b: c.next(uint64(c.u16())), off: c.off, what: c.what}
		value.skip(1) // version and flags
		l.File, l.Target = value.text(), value.text()
		if err := value.err(); err != nil {
			return l, err
		}
	default:
		l.Kind = UserLink
		l.Target = fmt.Sprintf("type %d", kind)
	}
	return l, c.err()
}

// decodeSymbol decodes one entry of a symbol table node (III.C). The offset of the
// name is as wide as a length: the specification says an address (H5Gent.c).
func decodeSymbol(c *cursor, heap *localHeap) (Link, error) {
	var l Link
	name := c.length()
	l.Addr = c.address()
	kind := c.u32()
	c.skip(4)
	scratch := c.next(16)
	if err := c.err(); err != nil {
		return l, err
	}
	var err error
	if l.Name, err = heap.text(name); err != nil {
		return l, err
	}
	if kind == 2 { // a soft link, whose path is in the heap too
		value := &cursor{f: c.f, b: scratch, off: c.off, what: c.what}
		l.Kind, l.Addr = SoftLink, 0
		l.Target, err = heap.text(uint64(value.u32()))
	}
	return l, err
}
