package deflate

import "math/bits"

// Symbols are looked up in tables of entries: the first by the next bits of the
// input, and where a code is longer than those, a second one by the bits after them.
//
//	literal:           1<<31 | byte<<16           | length of the code
//	length, distance:  base<<16  | extra bits<<8  | length of the code
//	second table:      start<<16 | its bits<<8    | 1<<7
//	end of block:                            1<<6 | length of the code
//
// An entry of zero is a code that no symbol has.
const (
	entryLiteral = 1 << 31
	entrySecond  = 1 << 7
	entryEnd     = 1 << 6

	litlenBits   = 11
	distanceBits = 8
	codeBits     = 7
)

// codeLengths are the lengths of a block's codes: those of literals and lengths, then
// those of distances. The tables follow from them.
type codeLengths struct {
	bits             [320]uint8
	literals, values int // of literals and lengths; of both
}

// tables decode the symbols of a block. A first code that is too long for the first
// table begins at least two codes, and each second table is as large as the longest
// code needs.
type tables struct {
	litlen   [1<<litlenBits + 286/2<<(15-litlenBits)]uint32
	distance [1<<distanceBits + 30/2<<(15-distanceBits)]uint32
	codes    [1 << codeBits]uint32
}

// set makes the tables of a block. It is false if the lengths make no code.
func (t *tables) set(l *codeLengths) bool {
	return build(t.litlen[:], litlenBits, l.bits[:l.literals], litlenEntry) &&
		build(t.distance[:], distanceBits, l.bits[l.literals:l.values], distanceEntry)
}

// fixedLengths are those of a block with fixed codes (RFC 1951, 3.2.6).
func fixedLengths() codeLengths {
	l := codeLengths{literals: 288, values: 320}
	for i := range l.bits {
		switch {
		case i < 144:
			l.bits[i] = 8
		case i < 256:
			l.bits[i] = 9
		case i < 280:
			l.bits[i] = 7
		case i < 288:
			l.bits[i] = 8
		default:
			l.bits[i] = 5
		}
	}
	return l
}

// codeOrder is the order in which a dynamic block gives the lengths of the codes of
// code lengths (RFC 1951, 3.2.7).
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codeEntry is the table entry of a code length.
func codeEntry(s int) uint32 { return entryLiteral | uint32(s)<<16 }

// litlenEntry is the table entry of a literal or a length (RFC 1951, 3.2.5), less its
// code's length.
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
