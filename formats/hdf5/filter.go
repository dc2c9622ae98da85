package hdf5

import (
	"fmt"
	"sync"

	"wfs/formats/deflate"
	"wfs/formats/segment"
)

// Most that one byte can decompress to: deflate's limit of 258 bytes for two bits,
// and LZF's of 264 for three bytes.
const (
	deflateRatio = 1032
	lzfRatio     = 88
)

// scratch holds the buffers between two filters.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

func borrow(n int) *[]byte {
	b := scratch.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return b
}

// giveBack returns a buffer, unless it is too large to be kept around.
func giveBack(b *[]byte) {
	if b != nil && cap(*b) <= 16<<20 {
		scratch.Put(b)
	}
}

// decodeChunk reads a chunk of the file and runs it backwards through the filters
// that its mask leaves, into dst, which has the size of the chunk.
func (d *Dataset) decodeChunk(dst []byte, e chunkEntry) error {
	fail := func(format string, args ...any) error {
		return &FormatError{d.f.offset(e.addr), "chunk: " + fmt.Sprintf(format, args...)}
	}
	// Sizes on the way are known up to the first compression: what a filter was given
	// is what undoing it must give.
	var steps []step
	n, known := len(dst), true
	for i := range d.filters {
		if i < 32 && e.mask&(1<<i) != 0 {
			continue
		}
		steps = append(steps, step{&d.filters[i], n, known})
		switch d.filters[i].id {
		case filterFletcher32:
			n += 4
		case filterDeflate, filterLZF:
			known = false
		}
	}
	if known && int(e.size) != n {
		return fail("%d bytes in the file for %d", e.size, n)
	}
	if len(steps) == 0 {
		return d.readStored(dst, e, 0)
	}
	if err := plausible(steps, uint64(e.size)); err != "" {
		return fail("%s", err)
	}
	var held *[]byte
	defer func() { giveBack(held) }()
	held = borrow(int(e.size))
	src := *held
	if err := d.readStored(src, e, 0); err != nil {
		return err
	}
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		if s.filter.id == filterFletcher32 {
			var ok bool
			if src, ok = checkFletcher32(src); !ok {
				return fail("fletcher32 checksum does not match")
			}
			if s.known && len(src) != s.size {
				return fail("%d bytes for %d", len(src), s.size)
			}
			if i == 0 {
				copy(dst, src)
			}
			continue
		}
		if !s.known {
			// Two compressions in a row: nobody knows the size between them.
			return fail("compressed twice")
		}
		out := dst
		var next *[]byte
		if i > 0 {
			next = borrow(s.size)
			out = *next
		}
		ok := true
		switch s.filter.id {
		case filterDeflate:
			ok = deflate.Zlib(out, src) == nil
		case filterLZF:
			ok = unLZF(out, src)
		case filterShuffle:
			if ok = len(src) == len(out); ok {
				unshuffle(out, src, d.shuffleSize(s.filter))
			}
		default:
			ok = false
		}
		if !ok {
			giveBack(next)
			return fail("%s data are broken", s.filter.kind())
		}
		if next != nil {
			giveBack(held)
			held, src = next, out
		}
	}
	return nil
}

// step is one filter that was applied to a chunk.
type step struct {
	filter *filter
	size   int // bytes it was given, if known
	known  bool
}

func (fl *filter) kind() string {
	switch fl.id {
	case filterDeflate:
		return "deflated"
	case filterLZF:
		return "LZF"
	}
	return "shuffled"
}

// plausible says what is wrong with a chunk that claims more than its bytes can hold.
// It is asked before anything of the chunk's size is read or decoded.
func plausible(steps []step, stored uint64) string {
	most := stored
	for i := len(steps) - 1; i >= 0; i-- {
		switch steps[i].filter.id {
		case filterDeflate:
			most *= deflateRatio
		case filterLZF:
			most *= lzfRatio
		}
	}
	if uint64(steps[0].size) > most {
		return fmt.Sprintf("%d bytes claimed of %d in the file", steps[0].size, stored)
	}
	// Compression never grows data by more than a fraction.
	if n := uint64(steps[0].size); stored > n+n/2+1<<16 {
		return fmt.Sprintf("%d bytes in the file for %d", stored, n)
	}
	return ""
}

// shuffleSize is the size of the elements that a shuffle filter works on.
func (d *Dataset) shuffleSize(fl *filter) int {
	if len(fl.client) > 0 {
		return int(fl.client[0])
	}
	return int(d.element)
}

// readStored reads bytes of a chunk as they are in the file.
func (d *Dataset) readStored(p []byte, e chunkEntry, at uint64) error {
	off := d.f.offset(e.addr) + int64(at)
	if err := segment.ReadFull(d.f.r, p, off); err != nil {
		return fmt.Errorf("hdf5: chunk at offset %d: %w", off, err)
	}
	return nil
}
