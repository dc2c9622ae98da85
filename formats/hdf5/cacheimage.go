package hdf5

import (
	"cmp"
	"fmt"
	"slices"
	"wfs/formats/segment"
)

// cacheImage is what a writer left of its metadata cache instead of writing each
// structure at its own address (IV.A.2.y; the block is that of H5Cimage.c): for the
// addresses that it covers the image is the newest there is, and what lies in the
// file there is stale or was never written.
type cacheImage struct {
	entries []imageEntry // by address; none overlaps another
}

// imageEntry says that size bytes at an address are to be read at an offset of the file.
type imageEntry struct {
	addr, size uint64
	off        int64
}

// maxCacheImage bounds an image: the library's cache itself holds 32 MB unless it is
// told otherwise.
const maxCacheImage = 64 << 20

// readCacheImage decodes a metadata cache image message and the block that it names.
// All that is read afterwards is read through the image.
func (m *metadata) readCacheImage(msg *message) error {
	c := msg.cursor("metadata cache image message")
	version, addr, size := c.u8(), c.address(), c.length()
	if err := c.err(); err != nil {
		return err
	}
	if version != 0 {
		return c.errorf("version %d", version)
	}
	if addr == undefined {
		return nil
	}
	if size > maxCacheImage {
		return c.errorf("%d bytes, at most %d are read", size, maxCacheImage)
	}
	c, err := m.checked(addr, size, "MDCI", "metadata cache image")
	if err != nil {
		return err
	}
	const resizeStatus = 1 // announced, never defined
	version, flags := c.u8(), c.u8()
	length, count := c.length(), uint64(c.u32())
	if err := c.err(); err != nil {
		return err
	}
	if version != 0 || flags&resizeStatus != 0 || length != size {
		return c.errorf("version %d, flags %#x, %d bytes of %d", version, flags, length, size)
	}
	if count > uint64(c.remaining()) {
		return c.errorf("%d entries in %d bytes", count, c.remaining())
	}
	image := &cacheImage{}
	for range count {
		e, err := decodeImageEntry(c)
		if err != nil {
			return err
		}
		image.entries = append(image.entries, e)
	}
	if c.remaining() != 0 {
		return c.errorf("%d bytes after its last entry", c.remaining())
	}
	slices.SortFunc(image.entries, func(a, b imageEntry) int { return cmp.Compare(a.addr, b.addr) })
	for i := 1; i < len(image.entries); i++ {
		if before := image.entries[i-1]; image.entries[i].addr-before.addr < before.size {
			return c.errorf("two entries for address %#x", image.entries[i].addr)
		}
	}
	m.f.image = image
	return nil
}

// decodeImageEntry decodes one entry (H5Cimage.c, H5C__reconstruct_cache_entry). Its
// type, age, ring and dependencies matter to a cache only.
func decodeImageEntry(c *cursor) (imageEntry, error) {
	c.skip(1 + 1 + 1 + 1 + 2 + 2) // type, flags, ring, age, children, dirty children
	parents := int(c.u16())
	c.skip(4) // place among the least recently used
	e := imageEntry{addr: c.address(), size: c.length()}
	c.skip(parents * c.f.offsetSize)
	e.off = c.off + int64(c.pos)
	c.next(e.size)
	if err := c.err(); err != nil {
		return e, err
	}
	if e.addr == undefined || e.size == 0 || e.addr+e.size < e.addr {
		return e, c.errorf("an entry of %d bytes at address %#x", e.size, e.addr)
	}
	return e, nil
}

// overlapping returns the entries that hold some of n bytes at an address.
func (i *cacheImage) overlapping(addr, n uint64) []imageEntry {
	if i == nil || n == 0 {
		return nil
	}
	from, _ := slices.BinarySearchFunc(i.entries, addr, func(e imageEntry, addr uint64) int {
		if e.addr+e.size <= addr {
			return -1
		}
		return 1
	})
	to := from
	for to < len(i.entries) && i.entries[to].addr < addr+n {
		to++
	}
	return i.entries[from:to]
}

// readStructure fills p with bytes at an address that span has checked, from the cache
// image where it has them.
func (f *File) readStructure(p []byte, addr uint64) error {
	covering := f.image.overlapping(addr, uint64(len(p)))
	if len(covering) != 1 || covering[0].addr > addr || covering[0].addr+covering[0].size < addr+uint64(len(p)) {
		if err := segment.ReadFull(f.r, p, f.offset(addr)); err != nil {
			return err
		}
	}
	for _, e := range covering {
		from, to := max(e.addr, addr), min(e.addr+e.size, addr+uint64(len(p)))
		if err := segment.ReadFull(f.r, p[from-addr:to-addr], e.off+int64(from-e.addr)); err != nil {
			return fmt.Errorf("metadata cache image: %w", err)
		}
	}
	return nil
}
