package hdf5

import (
	"bytes"
	"math/bits"
	"slices"
)

// heap is a fractal heap (III.G): where new groups keep links, and objects keep
// many attributes. An object is managed (in a block of the doubling table), huge (on
// its own) or tiny (inside its own ID).
type heap struct {
	addr      uint64
	idLength  int
	checked   bool   // direct blocks carry a checksum
	maxManage uint64 // largest managed object
	hugeTree  uint64
	width     uint64 // columns of the doubling table
	start     uint64 // bytes of a block in its first two rows
	maxDirect uint64 // largest direct block
	offBits   int    // bits of an offset in the heap
	root      uint64
	rootRows  int // 0: the root is a direct block

	block block0 // the direct block that was read last
}

// block0 is a direct block and where it lies in the heap's own address space.
type block0 struct {
	at   uint64
	data []byte
}

const maxDirectBlock = 1 << 26

func (m *metadata) openHeap(addr uint64) (*heap, error) {
	o, l := m.f.offsetSize, m.f.lengthSize
	fixed := 4 + 1 + 2 + 2 + 1 + 4 + 12*l + 3*o + 2 + 2 + 2 + 2 + 4
	c, err := m.cursor(addr, uint64(fixed), "fractal heap")
	if err != nil {
		return nil, err
	}
	if !c.signature("FRHP") {
		return nil, c.errorf("no signature FRHP")
	}
	version := c.u8()
	h := &heap{addr: addr, idLength: int(c.u16())}
	filters := c.u16()
	h.checked = c.u8()&2 != 0
	h.maxManage = uint64(c.u32())
	c.length() // next huge ID
	h.hugeTree = c.address()
	c.length()  // free space
	c.address() // free space manager
	c.skip(8 * l)
	h.width = uint64(c.u16())
	h.start, h.maxDirect = c.length(), c.length()
	h.offBits = int(c.u16())
	c.skip(2) // rows at the start
	h.root = c.address()
	h.rootRows = int(c.u16())
	switch {
	case version != 0:
		return nil, c.errorf("version %d", version)
	case filters != 0:
		return nil, c.errorf("filtered heaps are not supported")
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if err := c.verify(); err != nil {
		return nil, err
	}
	power := func(n uint64) bool { return n != 0 && n&(n-1) == 0 }
	if !power(h.width) || !power(h.start) || !power(h.maxDirect) || h.maxDirect < h.start ||
		h.maxDirect > maxDirectBlock || h.offBits < 1 || h.offBits > 64 || h.rootRows > 64 {
		return nil, c.errorf("impossible doubling table")
	}
	return h, nil
}

// object fetches the object of an ID.
func (h *heap) object(m *metadata, id []byte) ([]byte, error) {
	c := &cursor{f: m.f, b: id, off: m.f.offset(h.addr), what: "fractal heap object"}
	first := c.u8()
	if first>>6 != 0 {
		return nil, c.errorf("version %d of its ID", first>>6)
	}
	switch first >> 4 & 3 {
	case 0:
		at := c.uint((h.offBits + 7) / 8)
		// H5HF__hdr_finish_init_phase1: the lesser of two encodings.
		n := c.uint(min((bits.Len64(h.maxDirect)-1+7)/8, encodedSize(h.maxManage)))
		if err := c.err(); err != nil {
			return nil, err
		}
		return h.managed(m, at, n)
	case 1:
		return h.huge(m, c)
	case 2:
		n := uint64(first & 15)
		if h.idLength-1 > 16 { // extended length
			n = n<<8 | uint64(c.u8())
		}
		b := c.next(n + 1)
		return b, c.err()
	}
	return nil, c.errorf("type 3 of its ID")
}

// rowSize is the number of bytes of one block in a row of the doubling table.
func (h *heap) rowSize(row int) uint64 {
	if row == 0 {
		return h.start
	}
	return h.start << (row - 1)
}

// managed fetches n bytes at an offset of the heap's address space.
func (h *heap) managed(m *metadata, at, n uint64) ([]byte, error) {
	fail := &FormatError{m.f.offset(h.addr), "fractal heap object: outside the heap"}
	if at < h.block.at || at-h.block.at >= uint64(len(h.block.data)) {
		if err := h.load(m, at); err != nil {
			return nil, err
		}
	}
	b := h.block
	if at < b.at || at-b.at > uint64(len(b.data)) || n > uint64(len(b.data))-(at-b.at) {
		return nil, fail
	}
	return b.data[at-b.at:][:n:n], nil
}

// load walks down the doubling table to the direct block that holds an offset.
func (h *heap) load(m *metadata, at uint64) error {
	fail := func() error { return &FormatError{m.f.offset(h.addr), "fractal heap: no block at an object's offset"} }
	addr, rows, base := h.root, h.rootRows, uint64(0)
	if rows == 0 {
		return h.direct(m, addr, base, h.start)
	}
	maxDirectRows := bits.Len64(h.maxDirect) - bits.Len64(h.start) + 2
	for {
		if addr == undefined {
			return fail()
		}
		row, rowAt := 0, base
		for ; row < rows; row++ {
			n := h.rowSize(row) * h.width
			if n/h.width != h.rowSize(row) || h.rowSize(row) == 0 {
				return fail()
			}
			if at-rowAt < n {
				break
			}
			rowAt += n
		}
		if row == rows || at < rowAt {
			return fail()
		}
		size := h.rowSize(row)
		column := (at - rowAt) / size
		directRows := min(rows, maxDirectRows)
		entries := uint64(rows) * h.width // one address each: the heap is not filtered
		offset := (h.offBits + 7) / 8
		c, err := m.checked(addr, 4+1+uint64(m.f.offsetSize+offset)+entries*uint64(m.f.offsetSize)+4, "FHIB", "fractal heap indirect block")
		if err != nil {
			return err
		}
		if err := h.blockHead(c, base, offset); err != nil {
			return err
		}
		c.pos += int(uint64(row)*h.width+column) * m.f.offsetSize
		addr, base = c.address(), rowAt+column*size
		if err := c.err(); err != nil {
			return err
		}
		if row < directRows {
			return h.direct(m, addr, base, size)
		}
		// An indirect block has as many rows as its size needs (H5HF__dtable_size_to_rows);
		// always fewer than its parent, so this ends.
		child := bits.Len64(size) - bits.Len64(h.start*h.width) + 1
		if child < 1 || child > row {
			return fail()
		}
		rows = child
	}
}

// blockHead checks what follows a block's signature: version, owner, own offset.
func (h *heap) blockHead(c *cursor, base uint64, offset int) error {
	version, owner, at := c.u8(), c.address(), c.uint(offset)
	if version != 0 || owner != h.addr || at != base {
		return c.errorf("belongs elsewhere")
	}
	return nil
}

func (h *heap) direct(m *metadata, addr, base, size uint64) error {
	c, err := m.cursor(addr, size, "fractal heap direct block")
	if err != nil {
		return err
	}
	if !c.signature("FHDB") {
		return c.errorf("no signature FHDB")
	}
	if err := h.blockHead(c, base, (h.offBits+7)/8); err != nil {
		return err
	}
	if h.checked {
		// The checksum is that of the block with zeros in its place.
		at := c.pos
		sum := c.u32()
		if err := c.err(); err != nil {
			return err
		}
		copy(c.b[at:], []byte{0, 0, 0, 0})
		if lookup3(c.b) != sum && !m.f.opt.anyChecksum {
			return c.errorf("checksum does not match")
		}
	}
	h.block = block0{base, c.b}
	return c.err()
}

// huge fetches an object that lies on its own: its address is in its ID where it
// fits there, or else in a B-tree that is searched for the ID's number.
func (h *heap) huge(m *metadata, c *cursor) ([]byte, error) {
	o, l := m.f.offsetSize, m.f.lengthSize
	if o+l <= h.idLength-1 {
		addr, n := c.address(), c.length()
		if err := c.err(); err != nil {
			return nil, err
		}
		return m.bytes(addr, n, "fractal heap huge object")
	}
	want := c.next(uint64(min(8, h.idLength-1)))
	if err := c.err(); err != nil {
		return nil, err
	}
	var addr, n uint64
	found := false
	err := m.walkTree2(h.hugeTree, tree2HugeIndirect, func(r *cursor) error {
		at, length, id := r.address(), r.length(), r.next(uint64(l))
		if err := r.err(); err != nil {
			return err
		}
		w := bytes.TrimRight(want, "\x00")
		if bytes.Equal(bytes.TrimRight(id, "\x00"), w) {
			addr, n, found = at, length, true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, c.errorf("huge object is not in the heap's B-tree")
	}
	return m.bytes(addr, n, "fractal heap huge object")
}

// inOrder sorts IDs by where their objects lie, so that each block is read once.
func (h *heap) inOrder(ids [][]byte) [][]byte {
	n := (h.offBits + 7) / 8
	slices.SortStableFunc(ids, func(a, b []byte) int {
		for i := min(n, len(a)-1, len(b)-1); i > 0; i-- {
			if a[i] != b[i] {
				return int(a[i]) - int(b[i])
			}
		}
		return 0
	})
	return ids
}
