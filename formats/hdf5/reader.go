package hdf5

import (
	"bytes"
	"fmt"
	"sync"
)

// undefined is the address that means "nowhere" (all bits set, I.A), whatever its
// width in the file.
const undefined = ^uint64(0)

// metadata reads structures of one file for one operation: a walk with all that is
// asked of the objects it finds, or the loading of an index. Its budget ends operations
// that would never end: structures of a sound file do not overlap, so what reads several
// times the file's size is going in circles.
type metadata struct {
	f     *File
	mu    sync.Mutex // held by the exported methods of an operation's objects
	left  int64      // bytes that may still be read
	heaps heapCache
}

// metadata begins an operation that may read about n bytes of structures.
func (f *File) metadata(n int64) *metadata {
	return &metadata{f: f, left: n}
}

// everything is the budget of an operation that may touch all structures, some of
// them often: each of many links to one object reads its header anew. However large
// the file, its structures are read in seconds or not at all.
func (f *File) everything() int64 { return 16*min(f.size, 1<<26) + 1<<24 }

// bytes reads n bytes at an address. It allocates no more than the file holds.
func (m *metadata) bytes(addr, n uint64, what string) ([]byte, error) {
	off, err := m.f.span(addr, n, what)
	if err != nil {
		return nil, err
	}
	// A read of any length costs something, or a loop over tiny nodes would be free.
	m.left -= int64(n) + 16
	if m.left < 0 {
		return nil, &FormatError{off, what + ": more structures than the file can hold"}
	}
	b := make([]byte, n)
	if err := m.f.readStructure(b, addr); err != nil {
		return nil, fmt.Errorf("hdf5: %s at offset %d: %w", what, off, err)
	}
	return b, nil
}

// cursor reads n bytes at an address into a cursor.
func (m *metadata) cursor(addr, n uint64, what string) (*cursor, error) {
	b, err := m.bytes(addr, n, what)
	if err != nil {
		return nil, err
	}
	return &cursor{f: m.f, b: b, off: m.f.offset(addr), what: what}, nil
}

// checked reads a structure that ends in a checksum of itself and begins with a
// signature, verifies both, and returns a cursor past the signature that ends
// before the checksum.
func (m *metadata) checked(addr, n uint64, signature, what string) (*cursor, error) {
	c, err := m.cursor(addr, n, what)
	if err != nil {
		return nil, err
	}
	if !c.signature(signature) {
		return nil, c.errorf("no signature %s", signature)
	}
	if err := c.verify(); err != nil {
		return nil, err
	}
	return c, nil
}

// offset is where in the file an address lies: addresses count from the
// superblock, which a user block may precede.
func (f *File) offset(addr uint64) int64 { return f.base + int64(addr) }

// address is the inverse of offset.
func (f *File) address(off int64) uint64 { return uint64(off - f.base) }

// span checks that n bytes at an address lie inside the file and returns their offset.
func (f *File) span(addr, n uint64, what string) (int64, error) {
	room := uint64(f.size - f.base)
	if addr > room || n > room-addr {
		shown := int64(-1)
		if addr <= room {
			shown = f.offset(addr)
		}
		return 0, &FormatError{shown, fmt.Sprintf("%s: %d bytes at address %#x lie outside the file", what, n, addr)}
	}
	return f.offset(addr), nil
}

// cursor decodes one structure. All integers are little-endian (I.A). Reading past
// the end gives zeros and is remembered: callers check err once, before they act on
// what they read.
type cursor struct {
	f     *File
	b     []byte
	pos   int
	short bool
	off   int64 // offset of b in the file, for messages
	what  string
}

func (c *cursor) next(n uint64) []byte {
	if n > uint64(len(c.b)-c.pos) {
		c.short = true
		c.pos = len(c.b)
		return nil
	}
	b := c.b[c.pos : c.pos+int(n)]
	c.pos += int(n)
	return b
}

// uint reads an integer of n bytes; bytes beyond the eighth must be zero.
func (c *cursor) uint(n int) uint64 {
	var v uint64
	for i, x := range c.next(uint64(n)) {
		if i < 8 {
			v |= uint64(x) << (8 * i)
		} else if x != 0 {
			c.short = true
		}
	}
	return v
}

func (c *cursor) u8() uint8   { return uint8(c.uint(1)) }
func (c *cursor) u16() uint16 { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32 { return uint32(c.uint(4)) }
func (c *cursor) u64() uint64 { return c.uint(8) }

// address reads an address; all bits set is undefined in every width.
func (c *cursor) address() uint64 {
	v := c.uint(c.f.offsetSize)
	if n := c.f.offsetSize; n < 8 && v == 1<<(8*n)-1 {
		return undefined
	}
	return v
}

// length reads a size or a count in the file's "size of lengths".
func (c *cursor) length() uint64 { return c.uint(c.f.lengthSize) }

func (c *cursor) skip(n int) { c.next(uint64(n)) }

// text reads a string that ends in NUL, without it.
func (c *cursor) text() string {
	n := bytes.IndexByte(c.b[c.pos:], 0)
	if n < 0 {
		c.short = true
		return ""
	}
	s := string(c.b[c.pos : c.pos+n])
	c.pos += n + 1
	return s
}

func (c *cursor) signature(s string) bool { return string(c.next(uint64(len(s)))) == s }

func (c *cursor) remaining() int { return len(c.b) - c.pos }

// verify checks the last four bytes, a checksum of all before them, and cuts them off.
func (c *cursor) verify() error {
	n := len(c.b) - 4
	if n < 0 {
		return c.errorf("too short for a checksum")
	}
	sum := uint32(c.b[n]) | uint32(c.b[n+1])<<8 | uint32(c.b[n+2])<<16 | uint32(c.b[n+3])<<24
	if lookup3(c.b[:n]) != sum && !c.f.opt.anyChecksum {
		return c.errorf("checksum does not match")
	}
	c.b = c.b[:n]
	return nil
}

// err reports whether the structure was cut short.
func (c *cursor) err() error {
	if c.short {
		return c.errorf("cut short")
	}
	return nil
}

func (c *cursor) errorf(format string, args ...any) error {
	return &FormatError{c.off, c.what + ": " + fmt.Sprintf(format, args...)}
}
