package hdf5

import (
	"encoding/binary"
	"hash/adler32"
	"math/bits"
	"sync"
)

// An inflater decompresses a whole zlib stream (RFC 1950, 1951) into a buffer of the
// size that the stream must have. Knowing both ends is what makes it faster than
// compress/flate, which reads byte by byte and keeps a window: here the output is the
// window, and most of the time 56 bits of input are at hand.
//
// Symbols are looked up in tables of entries: the first by the next bits of the
// input, and where a code is longer than those, a second one by the bits after them.
//
//	literal:           1<<31 | byte<<16           | length of the code
//	length, distance:  base<<16  | extra bits<<8  | length of the code
//	second table:      start<<16 | its bits<<8    | 1<<7
//	end of block:                            1<<6 | length of the code
//
// An entry of zero is a code that no symbol has.
type inflater struct {
	// A first code that is too long for the first table begins at least two codes, and
	// each second table is as large as the longest code needs.
	litlen   [1<<litlenBits + 286/2<<(15-litlenBits)]uint32
	distance [1<<distanceBits + 30/2<<(15-distanceBits)]uint32
	codes    [1 << 7]uint32
	lengths  [320]uint8
}

const (
	litlenBits   = 11
	distanceBits = 8

	entryLiteral = 1 << 31
	entrySecond  = 1 << 7
	entryEnd     = 1 << 6
)

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// inflate fills dst with the data of the zlib stream in src and verifies their
// checksum. It is false if anything is wrong: more data, less, or broken ones.
func inflate(dst, src []byte) bool {
	if len(src) < 6 || src[0]&15 != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 ||
		(uint(src[0])<<8|uint(src[1]))%31 != 0 {
		return false
	}
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	n, end, ok := z.blocks(dst, src, 2)
	if !ok || n != len(dst) || len(src)-end < 4 {
		return false
	}
	return adler32.Checksum(dst) == binary.BigEndian.Uint32(src[end:])
}

// blocks decodes all blocks of a stream that begins at src[at]. It returns how much
// of dst is filled and where in src the stream ends.
func (z *inflater) blocks(dst, src []byte, at int) (n, end int, ok bool) {
	in := bitReader{src: src, at: at}
	for final := false; !final; {
		in.refill()
		final = in.hold&1 != 0
		kind := in.hold >> 1 & 3
		in.drop(3)
		switch kind {
		case 0:
			n, ok = in.stored(dst, n)
		case 1:
			z.fixed()
			n, ok = z.block(dst, n, &in)
		case 2:
			if ok = z.dynamic(&in); ok {
				n, ok = z.block(dst, n, &in)
			}
		default:
			ok = false
		}
		if !ok || in.overrun() {
			return n, 0, false
		}
	}
	return n, in.position(), true
}

// bitReader holds the bits that come next, the first in the lowest place. Past the
// end of the input it delivers zeros and counts them.
type bitReader struct {
	src   []byte
	at    int
	hold  uint64
	count uint // bits in hold
	past  uint // bits delivered past the end
}

// refill makes at least 56 bits available.
func (r *bitReader) refill() {
	if len(r.src)-r.at >= 8 {
		r.hold |= binary.LittleEndian.Uint64(r.src[r.at:]) << r.count
		r.at += int(63-r.count) >> 3
		r.count |= 56
		return
	}
	for r.count < 56 {
		if r.at < len(r.src) {
			r.hold |= uint64(r.src[r.at]) << r.count
			r.at++
		} else {
			r.past += 8
		}
		r.count += 8
	}
}

func (r *bitReader) drop(n uint) {
	r.hold >>= n
	r.count -= n
}

// overrun says whether bits past the end were used.
func (r *bitReader) overrun() bool { return r.past > r.count }

// position is the byte behind the last one of which a bit was used.
func (r *bitReader) position() int { return r.at - int(r.count-r.past)>>3 }

// stored copies a block that is not compressed.
func (r *bitReader) stored(dst []byte, n int) (int, bool) {
	r.drop(r.count & 7)
	if r.overrun() {
		return n, false
	}
	at := r.position()
	*r = bitReader{src: r.src, at: at}
	if len(r.src)-at < 4 {
		return n, false
	}
	length := binary.LittleEndian.Uint16(r.src[at:])
	if length != ^binary.LittleEndian.Uint16(r.src[at+2:]) {
		return n, false
	}
	r.at += 4
	if int(length) > len(r.src)-r.at || int(length) > len(dst)-n {
		return n, false
	}
	copy(dst[n:], r.src[r.at:r.at+int(length)])
	r.at += int(length)
	return n + int(length), true
}

// slack is how far a pass of the fast loop may read and write: two literals and a
// match of 258 bytes, copied in words.
const slack = 2 + 258 + 16

// block decodes one compressed block. While input and output are far from their
// ends, nothing is checked but codes and distances.
func (z *inflater) block(dst []byte, n int, in *bitReader) (int, bool) {
	src, at, hold, count := in.src, in.at, in.hold, in.count
	limit := len(dst) - slack
	for n < limit && len(src)-at >= 16 {
		hold |= binary.LittleEndian.Uint64(src[at:]) << (count & 63)
		at += int(63-count) >> 3
		count |= 56
		e := z.litlen[hold&(1<<litlenBits-1)]
		if e&entryLiteral != 0 {
			dst[n] = byte(e >> 16)
			n++
			hold >>= e & 31
			count -= uint(e & 31)
			e = z.litlen[hold&(1<<litlenBits-1)]
			if e&entryLiteral != 0 {
				dst[n] = byte(e >> 16)
				n++
				hold >>= e & 31
				count -= uint(e & 31)
				e = z.litlen[hold&(1<<litlenBits-1)]
				if e&entryLiteral != 0 {
					dst[n] = byte(e >> 16)
					n++
					hold >>= e & 31
					count -= uint(e & 31)
					continue
				}
			}
			// Two codes of at most 11 bits are gone; a length, a distance and their extra
			// bits take up to 48 more.
			hold |= binary.LittleEndian.Uint64(src[at:]) << (count & 63)
			at += int(63-count) >> 3
			count |= 56
		}
		if e&entrySecond != 0 {
			hold >>= litlenBits
			count -= litlenBits
			e = z.litlen[uint(e>>16)+uint(hold)&(1<<(e>>8&15)-1)]
			if e&entryLiteral != 0 {
				dst[n] = byte(e >> 16)
				n++
				hold >>= e & 31
				count -= uint(e & 31)
				continue
			}
		}
		hold >>= e & 31
		count -= uint(e & 31)
		if e&entryEnd != 0 {
			in.at, in.hold, in.count = at, hold, count
			return n, true
		}
		if e == 0 {
			return n, false
		}
		length := int(e>>16) + int(hold&(1<<(e>>8&15)-1))
		hold >>= e >> 8 & 15
		count -= uint(e >> 8 & 15)

		e = z.distance[hold&(1<<distanceBits-1)]
		if e&entrySecond != 0 {
			hold >>= distanceBits
			count -= distanceBits
			e = z.distance[uint(e>>16)+uint(hold)&(1<<(e>>8&15)-1)]
		}
		hold >>= e & 31
		count -= uint(e & 31)
		gap := int(e>>16) + int(hold&(1<<(e>>8&15)-1))
		hold >>= e >> 8 & 15
		count -= uint(e >> 8 & 15)
		if e == 0 || gap > n {
			return n, false
		}
		copyMatch(dst, n, gap, length)
		n += length
	}
	in.at, in.hold, in.count = at, hold, count
	return z.tail(dst, n, in)
}

// copyMatch repeats length bytes from gap bytes before n. It may write up to 15
// bytes more than it should: the caller keeps slack for them.
func copyMatch(dst []byte, n, gap, length int) {
	if gap >= 8 {
		from, to := dst[n-gap:], dst[n:n+length+15]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
		}
		return
	}
	if gap == 1 {
		word := uint64(dst[n-1]) * 0x0101010101010101
		to := dst[n : n+length+15]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], word)
		}
		return
	}
	from, to := dst[n-gap:n+length], dst[n:n+length]
	for i := range to {
		to[i] = from[i]
	}
}

// tail decodes the rest of a block near the end of the input or the output, one
// symbol at a time and everything checked.
func (z *inflater) tail(dst []byte, n int, in *bitReader) (int, bool) {
	for {
		in.refill()
		if in.overrun() {
			return n, false
		}
		e := z.litlen[in.hold&(1<<litlenBits-1)]
		if e&entrySecond != 0 {
			in.drop(litlenBits)
			e = z.litlen[uint(e>>16)+uint(in.hold)&(1<<(e>>8&15)-1)]
		}
		in.drop(uint(e & 31))
		if e&entryLiteral != 0 {
			if n >= len(dst) {
				return n, false
			}
			dst[n] = byte(e >> 16)
			n++
			continue
		}
		if e&entryEnd != 0 {
			return n, true
		}
		if e == 0 {
			return n, false
		}
		length := int(e>>16) + int(in.hold&(1<<(e>>8&15)-1))
		in.drop(uint(e >> 8 & 15))
		in.refill()
		e = z.distance[in.hold&(1<<distanceBits-1)]
		if e&entrySecond != 0 {
			in.drop(distanceBits)
			e = z.distance[uint(e>>16)+uint(in.hold)&(1<<(e>>8&15)-1)]
		}
		in.drop(uint(e & 31))
		gap := int(e>>16) + int(in.hold&(1<<(e>>8&15)-1))
		in.drop(uint(e >> 8 & 15))
		if e == 0 || gap > n || length > len(dst)-n {
			return n, false
		}
		for i := range length {
			dst[n+i] = dst[n+i-gap]
		}
		n += length
	}
}

// codeOrder is the order in which a dynamic block gives the lengths of the codes of
// code lengths (RFC 1951, 3.2.7).
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the codes of a dynamic block and builds their tables.
func (z *inflater) dynamic(in *bitReader) bool {
	in.refill()
	literals, distances, codes := int(in.hold&31)+257, int(in.hold>>5&31)+1, int(in.hold>>10&15)+4
	in.drop(14)
	if literals > 286 || distances > 30 {
		return false
	}
	var lengths [19]uint8
	for _, symbol := range codeOrder[:codes] {
		in.refill()
		lengths[symbol] = uint8(in.hold & 7)
		in.drop(3)
	}
	if !build(z.codes[:], 7, lengths[:], func(s int) uint32 { return uint32(s)<<16 | entryLiteral }) {
		return false
	}
	total := literals + distances
	for i := 0; i < total; {
		in.refill()
		if in.overrun() {
			return false
		}
		e := z.codes[in.hold&127]
		if e == 0 {
			return false
		}
		in.drop(uint(e & 31))
		symbol := uint8(e >> 16)
		if symbol < 16 {
			z.lengths[i] = symbol
			i++
			continue
		}
		var value uint8
		var repeat int
		switch symbol {
		case 16:
			if i == 0 {
				return false
			}
			value, repeat = z.lengths[i-1], 3+int(in.hold&3)
			in.drop(2)
		case 17:
			repeat = 3 + int(in.hold&7)
			in.drop(3)
		default:
			repeat = 11 + int(in.hold&127)
			in.drop(7)
		}
		if repeat > total-i {
			return false
		}
		for range repeat {
			z.lengths[i] = value
			i++
		}
	}
	if z.lengths[256] == 0 { // a block that could not end
		return false
	}
	return build(z.litlen[:], litlenBits, z.lengths[:literals], litlenEntry) &&
		build(z.distance[:], distanceBits, z.lengths[literals:total], distanceEntry)
}

// fixed builds the tables of a block with fixed codes (RFC 1951, 3.2.6).
func (z *inflater) fixed() {
	l := &z.lengths
	for i := range 288 {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	for i := 288; i < 320; i++ {
		l[i] = 5
	}
	build(z.litlen[:], litlenBits, l[:288], litlenEntry)
	build(z.distance[:], distanceBits, l[288:320], distanceEntry)
}

// litlenEntry is the table entry of a literal or a length (RFC 1951, 3.2.5), less
// its code's length.
func litlenEntry(s int) uint32 {
	switch {
	case s < 256:
		return entryLiteral | uint32(s)<<16
	case s == 256:
		return entryEnd
	case s < 265:
		return uint32(s-254) << 16
	case s < 285:
		extra := (s - 261) >> 2
		return uint32((4+(s-265)&3)<<extra+3)<<16 | uint32(extra)<<8
	case s == 285:
		return 258 << 16
	}
	return 0
}

// distanceEntry is the same of a distance.
func distanceEntry(s int) uint32 {
	switch {
	case s < 4:
		return uint32(s+1) << 16
	case s < 30:
		extra := (s - 2) >> 1
		return uint32((2+s&1)<<extra+1)<<16 | uint32(extra)<<8
	}
	return 0
}

// build fills a table from the lengths of the codes. It is false if they do not make
// a code: too many, or too few, unless there is one symbol or none (zlib accepts
// those; inftrees.c).
func build(table []uint32, first uint, lengths []uint8, entry func(int) uint32) bool {
	var counts [16]int
	for _, n := range lengths {
		counts[n]++
	}
	used := len(lengths) - counts[0]
	counts[0] = 0
	var next [17]uint32
	left := 1
	longest := uint(0)
	for n := 1; n <= 15; n++ {
		left = left<<1 - counts[n]
		if left < 0 {
			return false
		}
		next[n+1] = (next[n] + uint32(counts[n])) << 1
		if counts[n] > 0 {
			longest = uint(n)
		}
	}
	if left > 0 && (used > 1 || used == 1 && counts[1] != 1) {
		return false
	}
	clear(table[:1<<first])
	free := 1 << first
	for symbol, length := range lengths {
		if length == 0 {
			continue
		}
		n := uint(length)
		code := next[n]
		next[n]++
		e := entry(symbol)
		// Codes come with their highest bit first, all else with its lowest.
		reversed := uint(bits.Reverse16(uint16(code)) >> (16 - n))
		if n <= first {
			if e != 0 {
				e |= uint32(n)
			}
			for i := reversed; i < 1<<first; i += 1 << n {
				table[i] = e
			}
			continue
		}
		second := longest - first
		prefix := reversed & (1<<first - 1)
		if table[prefix] == 0 {
			if free+1<<second > len(table) {
				return false
			}
			table[prefix] = entrySecond | uint32(free)<<16 | uint32(second)<<8
			clear(table[free : free+1<<second])
			free += 1 << second
		}
		start := int(table[prefix] >> 16)
		if e != 0 {
			e |= uint32(n - first)
		}
		for i := reversed >> first; i < 1<<second; i += 1 << (n - first) {
			table[start+int(i)] = e
		}
	}
	return true
}
