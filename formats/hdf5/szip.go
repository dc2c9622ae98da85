package hdf5

import (
	"encoding/binary"
	"fmt"
)

// szip is the filter of that name (H5Zszip.c): the lossless compression of CCSDS
// 121.0-B, in the form that the libraries szip and libaec (sz_compat.c) give it.
type szip struct {
	bits     uint // of a sample
	bytes    int  // of a sample in the data
	id       uint // bits of the option of a block
	block    int  // samples
	line     int  // samples that belong together; padded to whole blocks
	big      bool
	neighbor bool // samples were replaced by their difference from the one before
	word     int  // bytes of an element whose bytes were separated; 0 if they were not
}

// decodeSzip checks the filter's parameters.
func decodeSzip(client []uint32) (*szip, string) {
	const bigEndian, nearestNeighbor = 16, 32
	if len(client) != 4 {
		return nil, fmt.Sprintf("the szip filter has %d parameters", len(client))
	}
	options, block, bits, line := client[0], client[1], client[2], client[3]
	if bits == 0 || bits > 32 && bits != 64 || block < 2 || block > 64 || block%2 != 0 || line < block || line > 1<<24 {
		return nil, fmt.Sprintf("the szip filter's blocks of %d samples of %d bits in lines of %d", block, bits, line)
	}
	s := &szip{
		bits: uint(bits), block: int(block), line: int(line),
		big: options&bigEndian != 0, neighbor: options&nearestNeighbor != 0,
	}
	if bits == 32 || bits == 64 {
		s.word, s.bits = int(bits/8), 8
	}
	switch {
	case s.bits > 16:
		s.bytes, s.id = 4, 5
	case s.bits > 8:
		s.bytes, s.id = 2, 4
	default:
		s.bytes, s.id = 1, 3
	}
	return s, ""
}

// szipLength is the number of bytes that a chunk says it decompresses to.
func szipLength(src []byte) (uint64, bool) {
	if len(src) < 4 {
		return 0, false
	}
	return uint64(binary.LittleEndian.Uint32(src)), true
}

// unit is the number of bytes that make a whole element, or sample.
func (s *szip) unit() int { return max(s.word, s.bytes) }

// undo fills dst from a chunk.
func (s *szip) undo(dst, src []byte) bool {
	if len(src) < 4 || len(dst)%s.unit() != 0 {
		return false
	}
	d := &szipDecoder{
		szip: s, in: bitStream{b: src[4:]}, dst: dst,
		blocks: (s.line + s.block - 1) / s.block, left: len(dst) / s.bytes,
		most: uint32(uint64(1)<<s.bits - 1),
	}
	if s.word > 0 {
		d.plane = len(dst) / s.word
	}
	for d.left > 0 {
		if !d.interval() {
			return false
		}
	}
	return true
}

// szipDecoder decodes one chunk.
type szipDecoder struct {
	*szip
	in     bitStream
	blocks int    // of an interval, which is a line with its padding
	most   uint32 // greatest sample
	last   uint32 // sample before
	dst    []byte
	at     int // samples of dst
	left   int // samples to come
	inLine int // samples of the interval so far
	plane  int // samples of one plane of bytes
}

// interval decodes the blocks from one reference sample to the next.
func (d *szipDecoder) interval() bool {
	d.inLine = 0
	for d.inLine < d.blocks*d.block && d.left > 0 {
		if !d.decodeBlock() || d.in.short {
			return false
		}
	}
	return true
}

// decodeBlock decodes one coded block, or a run of zero blocks. Its option says how.
func (d *szipDecoder) decodeBlock() bool {
	n := d.block
	option := uint(d.in.take(d.id))
	uncoded := uint(1)<<d.id - 1
	second := false
	if option == 0 {
		second = d.in.take(1) == 1
	}
	if d.neighbor && d.inLine == 0 && option != uncoded {
		d.put(uint32(d.in.take(d.bits)))
		n--
	}
	switch {
	case option == uncoded:
		for range n {
			d.put(uint32(d.in.take(d.bits)))
		}
	case option > 0:
		return d.split(n, option-1)
	case second:
		return d.extension(n)
	default:
		return d.zeroBlocks(n)
	}
	return true
}

// split decodes samples whose lowest k bits follow, all together, the rest of each.
func (d *szipDecoder) split(n int, k uint) bool {
	var high [64]uint32
	for i := range n {
		high[i] = d.in.zeros() << k
	}
	for i := range n {
		d.put(high[i] + uint32(d.in.take(k)))
	}
	return true
}

// extension decodes pairs of small samples, each pair by its number on the diagonals
// of the plane. If a reference came first, it is the first of a pair.
func (d *szipDecoder) extension(n int) bool {
	const greatest = 90 // the last of the diagonal whose sum is 12
	for i := d.block - n; i < d.block; {
		m := int(d.in.zeros())
		if m > greatest || d.in.short {
			return false
		}
		sum := 0
		for first := 0; m >= first+sum+1; {
			first += sum + 1
			sum++
		}
		b := m - sum*(sum+1)/2
		if i%2 == 0 {
			d.put(uint32(sum - b))
			i++
		}
		d.put(uint32(b))
		i++
	}
	return true
}

// zeroBlocks decodes a run of blocks without any difference. A run of five means up to
// the end of the segment of 64 blocks, or of the interval.
func (d *szipDecoder) zeroBlocks(n int) bool {
	const rest = 5
	run := int(d.in.zeros()) + 1
	switch done := d.inLine / d.block; {
	case run == rest:
		run = min(d.blocks-done, 64-done%64)
	case run > rest:
		run--
	}
	if run > d.blocks {
		return false
	}
	n += (run - 1) * d.block
	if n > d.blocks*d.block-d.inLine {
		return false
	}
	for range n {
		d.put(0)
	}
	return true
}

// put takes a sample, or its difference from the one before, and stores it unless it is
// padding.
func (d *szipDecoder) put(v uint32) {
	if d.neighbor {
		if d.inLine > 0 {
			v = d.undoDifference(v)
		}
		d.last = v
	}
	at := d.inLine
	d.inLine++
	if at >= d.line || d.left == 0 {
		return
	}
	d.left--
	i := d.at
	d.at++
	if d.word > 0 {
		// The bytes of all elements were put plane after plane.
		d.dst[i%d.plane*d.word+i/d.plane] = byte(v)
		return
	}
	p := d.dst[i*d.bytes:]
	switch {
	case d.bytes == 1:
		p[0] = byte(v)
	case d.bytes == 2 && d.big:
		binary.BigEndian.PutUint16(p, uint16(v))
	case d.bytes == 2:
		binary.LittleEndian.PutUint16(p, uint16(v))
	case d.big:
		binary.BigEndian.PutUint32(p, v)
	default:
		binary.LittleEndian.PutUint32(p, v)
	}
}

// undoDifference maps a code to the sample that it stands for: small codes are small
// differences of either sign, and those beyond the nearer end of the range go on to the
// other side.
func (d *szipDecoder) undoDifference(code uint32) uint32 {
	half := code>>1 + code&1
	flip := uint32(0)
	if d.last&(d.most/2+1) != 0 {
		flip = d.most
	}
	switch {
	case half > flip^d.last:
		return flip ^ code
	case code&1 != 0:
		return d.last - half
	}
	return d.last + half
}
