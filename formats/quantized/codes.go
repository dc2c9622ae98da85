package quantized

import (
	"wfs/formats/segment"
)

// packed is codes of 1 to 8 bits one after the other, the first in the lowest bits. A row
// begins at a byte, pitch bytes after the one before.
type packed struct {
	data  segment.Data
	bits  int64
	pitch int64
	// high says that the first of two codes of four bits is in the upper half of a byte.
	high bool
}

func (c *packed) fetch(read segment.ReadFunc, s *scratch, dst []byte, row, rows, col, n int64) error {
	if c.bits == 8 && (rows == 1 || n == c.pitch) {
		return segment.Fill(read, c.data, dst, row*c.pitch+col)
	}
	from := col / 8 * c.bits // eight codes fill whole bytes
	skip := col % 8
	to := min(c.pitch, ((col+n)*c.bits+7)/8)
	length := to - from
	if rows > 1 {
		length = rows * c.pitch
	}
	raw := sized(&s.raw, length+8)
	clear(raw[length:]) // unpack reads eight bytes at a time
	if err := segment.Fill(read, c.data, raw[:length], row*c.pitch+from); err != nil {
		return err
	}
	for i := range rows {
		out := dst[i*n:][:n]
		in := raw[i*c.pitch:]
		switch {
		case c.bits == 8:
			copy(out, in)
		case c.bits == 4:
			unpack4(out, in, int(skip), c.high)
		default:
			unpack(out, in, int(skip), int(c.bits))
		}
	}
	return nil
}

// unpack4 splits bytes into codes of four bits, without the first skip of them.
func unpack4(dst, src []byte, skip int, high bool) {
	first, second := 0, 4
	if high {
		first, second = 4, 0
	}
	src = src[skip/2:]
	if skip%2 == 1 && len(dst) > 0 {
		dst[0] = src[0] >> second & 15
		dst, src = dst[1:], src[1:]
	}
	done := fastUnpack4(dst, src, high)
	dst, src = dst[2*done:], src[done:]
	for ; len(dst) >= 8; dst, src = dst[8:], src[4:] {
		v := uint64(le.Uint32(src))
		v = (v | v<<16) & 0x0000ffff0000ffff
		v = (v | v<<8) & 0x00ff00ff00ff00ff
		low, up := v&0x000f000f000f000f, v>>4&0x000f000f000f000f
		if high {
			low, up = up, low
		}
		le.PutUint64(dst, low|up<<8)
	}
	for i := range dst {
		if shift := first; i%2 == 0 {
			dst[i] = src[i/2] >> shift & 15
		} else {
			dst[i] = src[i/2] >> second & 15
		}
	}
}

// unpack splits bytes into codes of 1 to 7 bits, without the first skip, fewer than eight. src
// has eight bytes more than it needs.
func unpack(dst, src []byte, skip, bits int) {
	mask := uint64(1)<<bits - 1
	for len(dst) > 0 {
		v := le.Uint64(src) >> (skip * bits)
		n := min(8-skip, len(dst))
		for i := range dst[:n] {
			dst[i] = byte(v & mask)
			v >>= bits
		}
		dst, src, skip = dst[n:], src[bits:], 0
	}
}

// cells is codes of four bits of several rows together: a cell has one of each row of a block,
// at places that are the same in all cells. A block has a cell for each column.
type cells struct {
	data segment.Data
	size int64 // bytes of a cell
	cols int64 // of a block
	// places are the halves of bytes in a cell that the rows of a block have, the lower before the upper.
	places []int64
}

// tile is the bytes of cells that are taken apart together.
const tile = 16 << 10

func (c *cells) fetch(read segment.ReadFunc, s *scratch, dst []byte, row, rows, col, n int64) error {
	per := int64(len(c.places))
	raw := sized(&s.raw, min(n, tile/c.size)*c.size)
	for at := int64(0); at < rows; {
		block, first := (row+at)/per, (row+at)%per
		count := min(per-first, rows-at)
		for k := int64(0); k < n; k += tile / c.size {
			width := min(tile/c.size, n-k)
			if err := segment.Fill(read, c.data, raw[:width*c.size], (block*c.cols+col+k)*c.size); err != nil {
				return err
			}
			for i := range count {
				place := c.places[first+i]
				half(dst[(at+i)*n+k:][:width], raw[:width*c.size], int(c.size), place)
			}
		}
		at += count
	}
	return nil
}

// half takes the half of a byte at a place from every cell.
func half(dst, src []byte, size int, place int64) {
	done := 0
	if size == 4 {
		done = fastHalves(dst, src, int(4*place))
	}
	dst, src = dst[done:], src[done*size:]
	shift := place % 2 * 4
	for i := range dst {
		dst[i] = src[i*size+int(place/2)] >> shift & 15
	}
}
