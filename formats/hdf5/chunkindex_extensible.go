package hdf5

import "math/bits"

// extensibleArray is the index of datasets that may grow in one dimension (VII.D).
// Its entries are numbered along the greatest grid with the endless dimension first.
// The first lie in the index block; those after it in data blocks, the addresses of
// which lie in the index block and, further on, in secondary blocks. Sizes are not
// stored: they follow from the header (H5EAhdr.c, H5EA__hdr_init).
type extensibleArray struct {
	in        *indexLoader
	client    uint8
	filtered  bool
	size      int // of an entry
	sizeBytes int

	entries  uint64 // entries that were ever set, the highest of them plus one
	inIndex  uint64 // entries in the index block
	minBlock uint64 // entries of the smallest data block
	page     uint64 // entries of a page; larger data blocks are paged
	offset   int    // bytes of a block's offset in the array
	endless  int    // the dimension without a bound
	at       []uint64
}

func (in *indexLoader) extensibleArray() error {
	d, m := in.d, in.m
	l, o := d.f.lengthSize, d.f.offsetSize
	c, err := m.checked(d.layout.addr, uint64(4+8+6*l+o+4), "EAHD", "extensible array")
	if err != nil {
		return err
	}
	version, client, size := c.u8(), c.u8(), int(c.u8())
	maxBits, inIndex, minBlock, minPointers, pageBits := c.u8(), c.u8(), c.u8(), c.u8(), c.u8()
	c.skip(4 * l) // numbers and sizes of blocks
	a := &extensibleArray{
		in: in, client: client, size: size, entries: c.length(),
		inIndex: uint64(inIndex), minBlock: uint64(minBlock), page: 1 << min(pageBits, 32),
		offset: int(maxBits+7) / 8, endless: -1,
		at: make([]uint64, len(d.layout.chunk)),
	}
	c.length() // entries in all blocks
	block := c.address()
	if err := c.err(); err != nil {
		return err
	}
	if a.filtered, a.sizeBytes, err = in.elementSize(c, client, size); err != nil {
		return err
	}
	for i := range a.at {
		if d.most[i] == undefined {
			if a.endless >= 0 {
				return c.errorf("two dimensions without a bound")
			}
			a.endless = i
		}
	}
	power := func(n uint8) bool { return n != 0 && n&(n-1) == 0 }
	log := bits.Len8(minBlock) - 1
	if version != 0 || a.endless < 0 || maxBits > 64 || !power(minBlock) || !power(minPointers) ||
		minPointers < 2 || pageBits > 32 || int(maxBits) < log {
		return c.errorf("impossible parameters")
	}
	if block == undefined {
		return nil
	}
	// Super block u has 2^(u/2) data blocks of 2^((u+1)/2) times minBlock entries. The
	// blocks of the first ones hang in the index block itself.
	supers := 1 + int(maxBits) - log
	direct := 2 * (bits.Len8(minPointers) - 1)
	blocks := 2 * (int(minPointers) - 1)
	c, err = m.checked(block, uint64(4+1+1+o+int(inIndex)*size+(blocks+max(0, supers-direct))*o+4), "EAIB", "extensible array index block")
	if err != nil {
		return err
	}
	if err := in.owner(c, client); err != nil {
		return err
	}
	if err := a.read(c, 0, a.inIndex); err != nil {
		return err
	}
	first := a.inIndex
	for u := 0; u < supers && first < a.entries; u++ {
		n, each := uint64(1)<<(u/2), a.minBlock<<((u+1)/2)
		if u < direct {
			for range n {
				if err := a.dataBlock(c.address(), first, each, nil, 0); err != nil {
					return err
				}
				first += each
			}
			if err := c.err(); err != nil {
				return err
			}
			continue
		}
		addr := c.address()
		if err := c.err(); err != nil {
			return err
		}
		if err := a.superBlock(addr, first, n, each); err != nil {
			return err
		}
		if first += n * each; first < n*each {
			break
		}
	}
	return nil
}

// superBlock reads a secondary block of n addresses of data blocks.
func (a *extensibleArray) superBlock(addr, first, n, each uint64) error {
	if addr == undefined {
		return nil
	}
	o := uint64(a.in.d.f.offsetSize)
	// One bit for each page of each of its data blocks, if these are paged. The bits
	// of a block follow those of the one before, although there is room for whole
	// bytes of each (H5EA.c, H5EA__lookup_elmt).
	var perBlock uint64
	if each > a.page {
		perBlock = each / a.page
	}
	bitmap := n * ((perBlock + 7) / 8)
	if n > uint64(a.in.d.f.size) || bitmap > uint64(a.in.d.f.size) {
		return &FormatError{a.in.d.f.offset(addr), "extensible array secondary block: too large"}
	}
	c, err := a.in.m.checked(addr, 4+1+1+o+uint64(a.offset)+bitmap+n*o+4, "EASB", "extensible array secondary block")
	if err != nil {
		return err
	}
	if err := a.in.owner(c, a.client); err != nil {
		return err
	}
	c.skip(a.offset)
	var written []byte
	if perBlock > 0 {
		written = c.next(bitmap)
	}
	for i := range n {
		addr := c.address()
		if err := c.err(); err != nil {
			return err
		}
		if err := a.dataBlock(addr, first+i*each, each, written, i*perBlock); err != nil {
			return err
		}
	}
	return nil
}

// dataBlock reads a block of n entries, of which first is the number of the first.
// If it is paged, bit from of written reports whether its first page was.
func (a *extensibleArray) dataBlock(addr, first, n uint64, written []byte, from uint64) error {
	if addr == undefined || first >= a.entries {
		return nil
	}
	m := a.in.m
	prefix := uint64(4+1+1+a.in.d.f.offsetSize+a.offset) + 4
	paged := n > a.page
	length := prefix
	if !paged {
		length += n * uint64(a.size)
	}
	c, err := m.checked(addr, length, "EADB", "extensible array data block")
	if err != nil {
		return err
	}
	if err := a.in.owner(c, a.client); err != nil {
		return err
	}
	c.skip(a.offset)
	if !paged {
		return a.read(c, first, n)
	}
	if written == nil {
		return c.errorf("paged, but in the index block")
	}
	for i := uint64(0); i < n/a.page && first+i*a.page < a.entries; i++ {
		if !bit(written, from+i) {
			continue
		}
		bytes := a.page*uint64(a.size) + 4
		c, err := m.cursor(addr+prefix+i*bytes, bytes, "extensible array page")
		if err != nil {
			return err
		}
		if err := c.verify(); err != nil {
			return err
		}
		if err := a.read(c, first+i*a.page, a.page); err != nil {
			return err
		}
	}
	return nil
}

// read takes n entries from c; first is the number of the first.
func (a *extensibleArray) read(c *cursor, first, n uint64) error {
	for i := first; i < first+n; i++ {
		addr, size, mask := a.in.element(c, a.filtered, a.sizeBytes)
		if addr == undefined || i >= a.entries {
			continue
		}
		a.position(i)
		if err := a.in.add(a.at, addr, size, mask); err != nil {
			return err
		}
	}
	return c.err()
}

// position finds where in the grid entry n is. The endless dimension, moved to the
// front, takes what the others leave (H5Dearray.c, H5D__earray_idx_get_addr).
func (a *extensibleArray) position(n uint64) {
	most := a.in.d.most
	for i := len(a.at) - 1; i >= 0; i-- {
		if i == a.endless {
			continue
		}
		if most[i] == 0 {
			n = 0
			continue
		}
		a.at[i], n = n%most[i], n/most[i]
	}
	a.at[a.endless] = n
}
