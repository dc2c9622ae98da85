package hdf5

import (
	"fmt"
	"strings"
)

type layoutClass uint8

const (
	layoutCompact layoutClass = iota
	layoutContiguous
	layoutChunked
	layoutVirtual
)

// Indexes of chunks, numbered as in the layout message since version 4.
const (
	indexTree1 = iota
	indexSingle
	indexImplicit
	indexFixedArray
	indexExtensibleArray
	indexTree2
)

// layout is where a dataset's bytes lie (IV.A.2.i).
type layout struct {
	class   layoutClass
	version uint8
	addr    uint64 // of the data, or of the chunk index; undefined while nothing is written
	size    uint64 // of compact and, since version 3, of contiguous data
	off     int64  // of compact data in the file

	chunk      []uint64 // elements, as many dimensions as the dataset
	chunkBytes uint64
	index      int
	plainEdges bool // chunks over the dataset's edge are not filtered

	filteredSize uint64 // of a single filtered chunk
	filterMask   uint32

	virtual string // a file that a virtual dataset reads
}

// decodeLayout decodes a layout message of any version for elements of a size.
func (m *metadata) decodeLayout(msg *message, size uint64) (*layout, error) {
	c := msg.cursor("layout message")
	l := &layout{version: c.u8(), addr: undefined}
	var err error
	switch l.version {
	case 1, 2:
		err = l.decode12(c)
	case 3:
		err = l.decode3(c)
	case 4, 5:
		// Version 5, of HDF5 2.0, only widens chunk sizes in the indexes.
		err = l.decode4(m, c)
	default:
		return nil, c.errorf("version %d", l.version)
	}
	if err != nil {
		return nil, err
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	if l.class == layoutChunked {
		err = l.finishChunk(c, size)
	}
	return l, err
}

func (l *layout) decode12(c *cursor) error {
	rank := int(c.u8())
	l.class = layoutClass(c.u8())
	c.skip(5)
	if rank > maxRank+1 || l.class > layoutChunked {
		return c.errorf("class %d of rank %d", l.class, rank)
	}
	if l.class != layoutCompact {
		l.addr = c.address()
	}
	for range rank {
		// Of data that are not chunked these are the dataset's own dimensions, possibly
		// cut to 32 bits: the dataspace knows better.
		l.chunk = append(l.chunk, uint64(c.u32()))
	}
	if l.class != layoutChunked {
		l.chunk = nil
	}
	if l.class == layoutCompact {
		l.size = uint64(c.u32())
		l.compact(c)
	}
	return nil
}

func (l *layout) compact(c *cursor) {
	l.off = c.off + int64(c.pos)
	c.next(l.size)
}

func (l *layout) decode3(c *cursor) error {
	l.class = layoutClass(c.u8())
	switch l.class {
	case layoutCompact:
		l.size = uint64(c.u16())
		l.compact(c)
	case layoutContiguous:
		l.addr, l.size = c.address(), c.length()
	case layoutChunked:
		rank := int(c.u8())
		if rank > maxRank+1 {
			return c.errorf("rank %d", rank)
		}
		l.addr = c.address()
		for range rank {
			l.chunk = append(l.chunk, uint64(c.u32()))
		}
	default:
		return c.errorf("class %d", l.class)
	}
	return nil
}

func (l *layout) decode4(m *metadata, c *cursor) error {
	const plainEdges, singleFiltered = 1, 2
	if l.version >= 4 && len(c.b) > c.pos && layoutClass(c.b[c.pos]) < layoutChunked {
		return l.decode3(c)
	}
	l.class = layoutClass(c.u8())
	if l.class == layoutVirtual {
		addr, index := c.address(), c.u32()
		if err := c.err(); err != nil {
			return err
		}
		l.virtual = m.virtualSource(addr, index)
		return nil
	}
	if l.class != layoutChunked {
		return c.errorf("class %d", l.class)
	}
	flags, rank, width := c.u8(), int(c.u8()), int(c.u8())
	if rank > maxRank+1 || width < 1 || width > 8 {
		return c.errorf("chunks of rank %d in %d bytes each", rank, width)
	}
	l.plainEdges = flags&plainEdges != 0
	for range rank {
		l.chunk = append(l.chunk, c.uint(width))
	}
	l.index = int(c.u8())
	switch l.index {
	case indexSingle:
		if flags&singleFiltered != 0 {
			l.filteredSize, l.filterMask = c.length(), c.u32()
		}
	case indexImplicit:
	case indexFixedArray:
		c.skip(1) // what follows is in the index too
	case indexExtensibleArray:
		c.skip(5)
	case indexTree2:
		c.skip(6)
	default:
		return c.errorf("chunk index %d", l.index)
	}
	l.addr = c.address()
	return nil
}

// finishChunk takes off the last dimension of a chunk, which is the element's size.
func (l *layout) finishChunk(c *cursor, size uint64) error {
	n := len(l.chunk) - 1
	if n < 1 || l.chunk[n] != size {
		return c.errorf("chunks of %d for elements of %d bytes", l.chunk, size)
	}
	for _, d := range l.chunk {
		if d == 0 {
			return c.errorf("chunks of %d", l.chunk)
		}
	}
	var ok bool
	if l.chunkBytes, ok = product(1, l.chunk); !ok {
		return c.errorf("chunks of %d", l.chunk)
	}
	l.chunk = l.chunk[:n]
	return nil
}

// virtualSource names the first file that a virtual dataset reads (III.F), for the
// reason why it is refused; "" where that cannot be told.
func (m *metadata) virtualSource(addr uint64, index uint32) string {
	g, err := m.collection(addr)
	if err != nil {
		return ""
	}
	s, ok := g.objects[index]
	if !ok {
		return ""
	}
	c := &cursor{f: m.f, b: g.data[s.at : s.at+s.n], what: "virtual dataset"}
	version := c.u8()
	if c.length() == 0 {
		return ""
	}
	if version == 1 && c.u8()&5 != 0 { // named elsewhere, or the file itself
		return ""
	}
	name := c.text()
	if c.err() != nil || version > 1 {
		return ""
	}
	return name
}

// externalFiles names the files of an external file list (IV.A.2.h), for the reason
// why it is refused.
func (m *metadata) externalFiles(msg *message) string {
	const shown = 3
	c := msg.cursor("external file list message")
	c.skip(1 + 3 + 2) // version, reserved, slots
	used := int(c.u16())
	heap, err := m.openLocalHeap(c.address())
	if err != nil || c.err() != nil {
		return "external files"
	}
	var names []string
	for i := range used {
		at := c.length()
		c.length() // offset in that file
		c.length() // size
		name, err := heap.text(at)
		if err != nil || c.err() != nil {
			break
		}
		if i == shown {
			names = append(names, "…")
			break
		}
		names = append(names, name)
	}
	return fmt.Sprintf("external files: %s", strings.Join(names, ", "))
}
