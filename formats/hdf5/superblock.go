package hdf5

import (
	"fmt"
	"wfs/formats/segment"
)

const signature = "\x89HDF\r\n\x1a\n"

// readSuperblock finds and decodes the superblock (II.A).
func (f *File) readSuperblock() error {
	found, err := f.findSuperblock()
	if err != nil {
		return err
	}
	if !found {
		return ErrNotHDF5
	}
	// Only versions 0 and 1 say how wide offsets are before their first offset; the
	// longest of all versions is 24+4+4*8+40 bytes.
	n := min(f.size-f.base, 128)
	m := f.metadata(f.everything())
	c, err := m.cursor(0, uint64(n), "superblock")
	if err != nil {
		return err
	}
	c.skip(len(signature))
	switch version := c.u8(); version {
	case 0, 1:
		err = f.superblock01(c, version)
	case 2, 3:
		err = f.superblock23(m, c, version)
	default:
		err = c.errorf("version %d", version)
	}
	return err
}

// findSuperblock looks for the signature at 0, 512, 1024, 2048 and so on.
func (f *File) findSuperblock() (bool, error) {
	var b [len(signature)]byte
	for at := int64(0); at <= f.size-int64(len(b)) && at >= 0; at *= 2 {
		if err := segment.ReadFull(f.r, b[:], at); err != nil {
			return false, fmt.Errorf("hdf5: signature at offset %d: %w", at, err)
		}
		if string(b[:]) == signature {
			f.base = at
			return true, nil
		}
		at = max(at, 256)
	}
	return false, nil
}

func (f *File) superblock01(c *cursor, version uint8) error {
	c.skip(4) // versions of free space, root entry; reserved; version of shared headers
	if err := f.widths(c); err != nil {
		return err
	}
	c.skip(1)
	c.skip(2) // group leaf node K: symbol nodes say how many entries they hold
	f.groupK = int(c.u16())
	c.skip(4) // consistency flags
	if version == 1 {
		c.skip(4) // indexed storage K, reserved
	}
	// The base address is not used: like the library, which corrects it, this reader
	// counts from where the superblock is found (H5Fsuper.c, H5F__super_read).
	base := c.address()
	c.address() // free space
	end := c.address()
	c.address() // driver information
	c.length()  // the root's own name; see decodeSymbol
	f.root = c.address()
	return f.checkEnd(c, base, end)
}

func (f *File) superblock23(m *metadata, c *cursor, version uint8) error {
	const writing, manyReaders = 1, 4 // H5F_SUPER_WRITE_ACCESS, H5F_SUPER_SWMR_ACCESS
	if err := f.widths(c); err != nil {
		return err
	}
	// Before version 3 the consistency flags mean nothing (H5Fint.c, H5F_open).
	if flags := c.u8(); version >= 3 {
		f.leftOpen = flags&(writing|manyReaders) != 0
	}
	base := c.address()
	extension := c.address()
	end := c.address()
	f.root = c.address()
	c.b = c.b[:min(len(c.b), c.pos+4)]
	if err := c.verify(); err != nil {
		return err
	}
	if err := f.checkEnd(c, base, end); err != nil {
		return err
	}
	if extension == undefined {
		return nil
	}
	return m.readExtension(extension)
}

func (f *File) widths(c *cursor) error {
	f.offsetSize, f.lengthSize = int(c.u8()), int(c.u8())
	for _, n := range []int{f.offsetSize, f.lengthSize} {
		// The library allows 16 and 32 too, which nothing has ever written.
		if n != 2 && n != 4 && n != 8 {
			return c.errorf("offsets of %d and lengths of %d bytes", f.offsetSize, f.lengthSize)
		}
	}
	return nil
}

// checkEnd compares the size that the file says it has with the real one. A file
// that lost its end is refused, as the library refuses it: all that it would give
// is errors later.
func (f *File) checkEnd(c *cursor, base, end uint64) error {
	if err := c.err(); err != nil {
		return err
	}
	if end != undefined && base != undefined && end >= base && end-base > uint64(f.size-f.base) {
		if f.leftOpen {
			return c.errorf("the file is cut short, and its writer has not closed it: %d bytes of %d", f.size-f.base, end-base)
		}
		return c.errorf("the file is cut short: %d bytes of %d", f.size-f.base, end-base)
	}
	return nil
}

// readExtension reads the superblock extension (II.C): an object header, of which the
// image of the metadata cache and the table of shared messages matter to a reader. The
// image is first: the table may be in it.
func (m *metadata) readExtension(addr uint64) error {
	h, err := m.header(addr)
	if err != nil {
		return err
	}
	if msg := h.find(messageCacheImage); msg != nil {
		if err := m.readCacheImage(msg); err != nil {
			return err
		}
	}
	for i := range h.messages {
		if h.messages[i].kind != messageSharedTable {
			continue
		}
		c := h.messages[i].cursor("shared message table message")
		version, table, count := c.u8(), c.address(), c.u8()
		if err := c.err(); err != nil {
			return err
		}
		if version != 0 {
			return c.errorf("version %d", version)
		}
		if err := m.readSharedTable(table, int(count)); err != nil {
			return err
		}
	}
	return nil
}
