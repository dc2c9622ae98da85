package hdf5

import "math/bits"

// Types of records in B-trees of version 2 (III.A.2).
const (
	tree2HugeIndirect  = 1
	tree2LinkNames     = 5
	tree2AttributeName = 8
	tree2Chunks        = 10
	tree2FilteredChunk = 11
)

// maxTree2Depth is far beyond what 2⁶⁴ records need.
const maxTree2Depth = 32

// tree2 is the header of a B-tree of version 2.
type tree2 struct {
	nodeSize   int
	recordSize int
	records    uint64
	// Counts of records in a node, and of those below it, take only the bytes that
	// their greatest value needs (H5B2hdr.c, H5B2__hdr_init).
	countSize int
	below     []int // by depth of the child
}

// encodedSize is the number of bytes that a value up to limit takes (H5VM_limit_enc_size).
func encodedSize(limit uint64) int { return max(1, (bits.Len64(limit)+7)/8) }

// walkTree2 calls record for each record of a tree of a type, in no certain order.
func (m *metadata) walkTree2(addr uint64, kind uint8, record func(*cursor) error) error {
	const what = "B-tree (v2) header"
	n := 4 + 1 + 1 + 4 + 2 + 2 + 1 + 1 + m.f.offsetSize + 2 + m.f.lengthSize + 4
	c, err := m.checked(addr, uint64(n), "BTHD", what)
	if err != nil {
		return err
	}
	version, found := c.u8(), c.u8()
	t := &tree2{nodeSize: int(c.u32()), recordSize: int(c.u16())}
	depth := int(c.u16())
	c.skip(2) // split and merge percent
	root := c.address()
	rootRecords := int(c.u16())
	t.records = c.length()
	switch {
	case c.err() != nil:
		return c.err()
	case version != 0:
		return c.errorf("version %d", version)
	case found != kind:
		return c.errorf("type %d, not %d", found, kind)
	case depth > maxTree2Depth:
		return c.errorf("depth %d", depth)
	}
	if root == undefined || t.records == 0 {
		return nil
	}
	if !t.measure(depth, m.f.offsetSize) {
		return c.errorf("nodes of %d bytes for records of %d", t.nodeSize, t.recordSize)
	}
	return m.walkNode2(t, root, rootRecords, depth, kind, record)
}

const tree2NodeOverhead = 4 + 1 + 1 + 4

// measure computes the widths of the counts at each depth.
func (t *tree2) measure(depth, offsetSize int) bool {
	if t.recordSize == 0 || t.nodeSize < tree2NodeOverhead+t.recordSize {
		return false
	}
	most := uint64((t.nodeSize - tree2NodeOverhead) / t.recordSize)
	t.countSize = encodedSize(most)
	t.below = []int{0}
	total := most
	for range depth {
		pointer := offsetSize + t.countSize + t.below[len(t.below)-1]
		room := t.nodeSize - tree2NodeOverhead - pointer
		if room < t.recordSize+pointer {
			return false
		}
		here := uint64(room / (t.recordSize + pointer))
		hi, lo := bits.Mul64(here+1, total)
		if hi != 0 || lo+here < lo {
			return false
		}
		total = lo + here
		t.below = append(t.below, encodedSize(total))
	}
	return true
}

func (m *metadata) walkNode2(t *tree2, addr uint64, count, depth int, kind uint8, record func(*cursor) error) error {
	signature, what := "BTLF", "B-tree (v2) leaf"
	n := tree2NodeOverhead + count*t.recordSize
	if depth > 0 {
		signature, what = "BTIN", "B-tree (v2) node"
		n += (count + 1) * (m.f.offsetSize + t.countSize + t.below[depth-1])
	}
	if n > t.nodeSize {
		return &FormatError{-1, what + ": more records than a node holds"}
	}
	// The checksum lies after the last record, not at the node's end.
	c, err := m.checked(addr, uint64(n), signature, what)
	if err != nil {
		return err
	}
	if version, found := c.u8(), c.u8(); version != 0 || found != kind {
		return c.errorf("version %d, type %d", version, found)
	}
	for range count {
		r := &cursor{f: m.f, b: c.next(uint64(t.recordSize)), off: c.off, what: "B-tree (v2) record"}
		if err := record(r); err != nil {
			return err
		}
	}
	if depth == 0 {
		return c.err()
	}
	for range count + 1 {
		child, records := c.address(), int(c.uint(t.countSize))
		c.skip(t.below[depth-1])
		if err := c.err(); err != nil {
			return err
		}
		if err := m.walkNode2(t, child, records, depth-1, kind, record); err != nil {
			return err
		}
	}
	return nil
}
