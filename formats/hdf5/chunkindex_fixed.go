package hdf5

// fixedArray loads the index of datasets with bounds: one entry for each chunk of
// the greatest grid, in one block or in pages after it (VII.C).
func (in *indexLoader) fixedArray() error {
	d, m := in.d, in.m
	o := d.f.offsetSize
	c, err := m.checked(d.layout.addr, uint64(4+4+d.f.lengthSize+o+4), "FAHD", "fixed array")
	if err != nil {
		return err
	}
	version, client, size, pageBits := c.u8(), c.u8(), int(c.u8()), c.u8()
	count, block := c.length(), c.address()
	if err := c.err(); err != nil {
		return err
	}
	filtered, sizeBytes, err := in.elementSize(c, client, size)
	if err != nil {
		return err
	}
	if want, ok := product(1, d.most); version != 0 || !ok || want != count || pageBits > 32 {
		return c.errorf("version %d, %d entries for a grid of %d", version, count, d.most)
	}
	if block == undefined {
		return nil
	}
	if count > uint64(d.f.size)*8 { // even a page that was never written has a bit
		return c.errorf("%d entries", count)
	}
	page := uint64(1) << pageBits
	head := uint64(4 + 1 + 1 + o)
	at := make([]uint64, len(d.layout.chunk))
	read := func(c *cursor, first, n uint64) error {
		for i := first; i < first+n; i++ {
			addr, size, mask := in.element(c, filtered, sizeBytes)
			position(at, d.most[:len(at)], i)
			if err := in.add(at, addr, size, mask); err != nil {
				return err
			}
		}
		return c.err()
	}
	if count <= page {
		c, err := m.checked(block, head+count*uint64(size)+4, "FADB", "fixed array block")
		if err != nil {
			return err
		}
		if err := in.owner(c, client); err != nil {
			return err
		}
		return read(c, 0, count)
	}
	pages := (count-1)/page + 1
	prefix := head + (pages+7)/8 + 4
	c, err = m.checked(block, prefix, "FADB", "fixed array block")
	if err != nil {
		return err
	}
	if err := in.owner(c, client); err != nil {
		return err
	}
	written := c.next((pages + 7) / 8)
	if err := c.err(); err != nil {
		return err
	}
	for i := range pages {
		if !bit(written, i) {
			continue
		}
		n := min(page, count-i*page)
		c, err := m.cursor(block+prefix+i*(page*uint64(size)+4), n*uint64(size)+4, "fixed array page")
		if err != nil {
			return err
		}
		if err := c.verify(); err != nil {
			return err
		}
		if err := read(c, i*page, n); err != nil {
			return err
		}
	}
	return nil
}

// owner checks what follows a block's signature: version, client, its header.
func (in *indexLoader) owner(c *cursor, client uint8) error {
	if version, who, addr := c.u8(), c.u8(), c.address(); version != 0 || who != client || addr != in.d.layout.addr {
		return c.errorf("belongs elsewhere")
	}
	return nil
}

// bit reads a bitmap as the library writes it: the first bit is a byte's highest
// (H5VM_bit_get).
func bit(b []byte, n uint64) bool { return b[n/8]&(0x80>>(n%8)) != 0 }
