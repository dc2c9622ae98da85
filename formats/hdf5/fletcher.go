package hdf5

import "encoding/binary"

// fletcher32 is the checksum of the filter of that name: of 16-bit big-endian
// words, an odd byte at the end being a high one (H5checksum.c).
func fletcher32(b []byte) uint32 {
	var s1, s2 uint64
	for len(b) > 1 {
		// Sums are folded before they overflow: the second grows with the square of the
		// number of words.
		n := min(len(b)&^1, 2<<15)
		for i := 0; i+1 < n; i += 2 {
			s1 += uint64(b[i])<<8 | uint64(b[i+1])
			s2 += s1
		}
		b = b[n:]
		s1, s2 = fold(s1), fold(s2)
	}
	if len(b) == 1 {
		s1 += uint64(b[0]) << 8
		s2 += s1
	}
	return uint32(fold(s2))<<16 | uint32(fold(s1))
}

// fold reduces a sum modulo 65535, to 65535 rather than to 0 unless it is 0.
func fold(s uint64) uint64 {
	if s == 0 {
		return 0
	}
	return (s-1)%65535 + 1
}

// checkFletcher32 verifies data whose last four bytes are their checksum, and cuts
// it off. HDF5 1.6.2 and before wrote it with the bytes of both halves swapped on
// little-endian machines, and such files are still valid (H5Zfletcher32.c).
func checkFletcher32(b []byte) ([]byte, bool) {
	n := len(b) - 4
	if n < 0 {
		return nil, false
	}
	sum := fletcher32(b[:n])
	stored := binary.LittleEndian.Uint32(b[n:])
	swapped := sum&0x00ff00ff<<8 | sum>>8&0x00ff00ff
	return b[:n], stored == sum || stored == swapped
}
