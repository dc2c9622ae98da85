package hdf5

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sync"

	"wfs/formats/deflate"
	"wfs/formats/segment"
)

// Most that one byte can decompress to: deflate's limit of 258 bytes for two bits,
// LZF's of 264 for three bytes, and szip's of 64 blocks of 64 samples of four bytes for
// nine bits.
const (
	deflateRatio = 1032
	lzfRatio     = 88
	szipRatio    = 64 * 64 * 4
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

// step is one filter that was applied to a chunk.
type step struct {
	*filter
	size  int  // bytes it was given
	known bool // or, if not, the most that it can have been given
}

// steps lists the filters that a chunk's mask leaves. What a filter was given is what
// undoing it must give: that is known up to the first compression.
func (d *Dataset) steps(mask uint32, size int) (steps []step, last int, known bool) {
	known = true
	for i := range d.filters {
		if mask&(1<<i) != 0 {
			continue
		}
		fl := &d.filters[i]
		steps = append(steps, step{fl, size, known})
		switch {
		case fl.id == filterFletcher32:
			size += 4
		case !fl.keepsSize():
			// No filter makes data longer by more than a little: deflate by a thousandth
			// (H5Zdeflate.c), the others by a head of some bytes.
			size += size/64 + 1024
			known = false
		}
	}
	return steps, size, known
}

// decodeChunk reads a chunk of the file and runs it backwards through the filters
// that its mask leaves, into dst, which has the size of the chunk.
func (d *Dataset) decodeChunk(dst []byte, e chunkEntry) error {
	fail := func(format string, args ...any) error {
		return &FormatError{d.f.offset(e.addr), "chunk: " + fmt.Sprintf(format, args...)}
	}
	steps, size, known := d.steps(e.mask, len(dst))
	if known && int(e.size) != size {
		return fail("%d bytes in the file for %d", e.size, size)
	}
	if len(steps) == 0 {
		return d.readStored(dst, e, 0)
	}
	if err := plausible(steps, uint64(e.size)); err != "" {
		return fail("%s", err)
	}
	var held *[]byte // what src lies in
	defer func() { giveBack(held) }()
	held = borrow(int(e.size))
	src := *held
	if err := d.readStored(src, e, 0); err != nil {
		return err
	}
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		if s.id == filterFletcher32 {
			var ok bool
			if src, ok = checkFletcher32(src); !ok {
				return fail("fletcher32 checksum does not match")
			}
			continue
		}
		if s.idle() {
			continue
		}
		n, ok := s.gives(src)
		if !ok || n > s.size || s.known && n != s.size {
			return fail("%s data are broken", s.kind())
		}
		var next *[]byte
		out := dst
		if i > 0 {
			next = borrow(n)
			out = *next
		}
		if !s.undo(out, src, int(d.element)) {
			giveBack(next)
			return fail("%s data are broken", s.kind())
		}
		giveBack(held)
		held, src = next, out
	}
	if len(src) != len(dst) {
		return fail("%d bytes for %d", len(src), len(dst))
	}
	if held != nil { // or they are in dst
		copy(dst, src)
	}
	return nil
}

// gives is the number of bytes that undoing a filter gives.
func (s *step) gives(src []byte) (int, bool) {
	n, ok := uint64(s.size), true
	switch s.id {
	case filterShuffle:
		n = uint64(len(src))
	case filterNBit:
		n = s.nbit.count * s.nbit.size
	case filterScale:
		n = s.scale.count * s.scale.size
	case filterSzip:
		n, ok = szipLength(src)
	case filterDeflate:
		if !s.known {
			n, ok = inflatedSize(src, uint64(s.size))
		}
	case filterLZF:
		if !s.known {
			n, ok = lzfSize(src)
		}
	}
	return int(min(n, math.MaxInt)), ok
}

// undo undoes a filter.
func (fl *filter) undo(dst, src []byte, element int) bool {
	switch fl.id {
	case filterDeflate:
		return deflate.Zlib(dst, src) == nil
	case filterLZF:
		return unLZF(dst, src)
	case filterShuffle:
		if len(fl.client) > 0 {
			element = int(fl.client[0])
		}
		unshuffle(dst, src, element)
		return true
	case filterNBit:
		return fl.nbit.undo(dst, src)
	case filterScale:
		return fl.scale.undo(dst, src)
	case filterSzip:
		return fl.szip.undo(dst, src)
	}
	return false
}

// inflatedSize is the size that a zlib stream inflates to, if it is no more than most.
// Few chunks need it: those that were compressed after another filter of unknown size.
func inflatedSize(src []byte, most uint64) (uint64, bool) {
	z, err := zlib.NewReader(bytes.NewReader(src))
	if err != nil {
		return 0, false
	}
	n, err := io.Copy(io.Discard, io.LimitReader(z, int64(most)+1))
	return uint64(n), err == nil
}

// plausible says what is wrong with a chunk that claims more than its bytes can hold.
// It is asked before anything of the chunk's size is read or decoded.
func plausible(steps []step, stored uint64) string {
	const enough = 1 << 62
	most := stored
	for i := range steps {
		ratio := uint64(1)
		switch s := &steps[i]; {
		case s.idle():
		case s.id == filterDeflate:
			ratio = deflateRatio
		case s.id == filterLZF:
			ratio = lzfRatio
		case s.id == filterSzip:
			ratio = szipRatio
		case s.id == filterNBit:
			ratio = 8 * s.nbit.size // one bit of each element
		case s.id == filterScale:
			ratio = enough // equal elements take none
		}
		if hi, lo := bits.Mul64(most, ratio); hi == 0 && lo < enough {
			most = lo
		} else {
			most = enough
		}
	}
	n := uint64(steps[0].size)
	if n > most {
		return fmt.Sprintf("%d bytes claimed of %d in the file", n, stored)
	}
	// Compression never grows data by more than a fraction.
	if stored > n+n/2+1<<16 {
		return fmt.Sprintf("%d bytes in the file for %d", stored, n)
	}
	return ""
}

// readStored reads bytes of a chunk as they are in the file.
func (d *Dataset) readStored(p []byte, e chunkEntry, at uint64) error {
	off := d.f.offset(e.addr) + int64(at)
	if err := segment.ReadFull(d.f.r, p, off); err != nil {
		return fmt.Errorf("hdf5: chunk at offset %d: %w", off, err)
	}
	return nil
}
