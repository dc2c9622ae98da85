package pickle

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// packed are the compressed streams and the archives that people keep pickles in, or that a
// pickle can carry, by how they begin. Those that may be other bytes as well are in Packed.
var packed = []struct{ kind, magic string }{
	{"gzip", "\x1f\x8b\x08"},
	{"xz", "\xfd7zXZ\x00"},
	{"zstd", "\x28\xb5\x2f\xfd"},
	{"lz4", "\x04\x22\x4d\x18"},
	{"lz4", "\x02\x21\x4c\x18"}, // its legacy frames
	{"snappy", "\xff\x06\x00\x00sNaPpY"},
	{"snappy", "\xff\x06\x00\x00S2sTwO"}, // S2, which extends it
	{"snappy of Java", "\x82SNAPPY\x00"},
	{"joblib's old zlib", "ZF0x"},
	{"7z", "7z\xbc\xaf\x27\x1c"},
	{"RAR", "Rar!\x1a\x07"},
	{"lzip", "LZIP\x01"},
	{"lzop", "\x89LZO\x00"},
	{"lrzip", "LRZI\x00"},
	{"compress", "\x1f\x9d\x90"},
	{"cab", "MSCF\x00\x00\x00\x00"},
	{"ar", "!<arch>\n"},
}

// Packed are the kinds of compressed streams and archives that bytes may be which begin
// with head: "zlib", "7z", none for most.
func Packed(head string) (kinds []string) {
	for i := range packed {
		if strings.HasPrefix(head, packed[i].magic) {
			return []string{packed[i].kind}
		}
	}
	switch {
	case isSkippable(head):
		return []string{"skippable frames"}
	case isBzip2(head):
		return []string{"bzip2"}
	}
	if isZlib(head) {
		kinds = append(kinds, "zlib")
	}
	if isLZMA(head) {
		kinds = append(kinds, "lzma")
	}
	return kinds
}

// isSkippable reports whether head is a frame that the readers of zstd and of lz4 skip
// (RFC 8878 3.1.2).
func isSkippable(head string) bool {
	return len(head) >= 8 && head[0]&0xf0 == 0x50 && head[1:4] == "\x2a\x4d\x18"
}

// isBzip2 reports whether head is that of a stream, and of its first block or its end.
func isBzip2(head string) bool {
	return len(head) >= 10 && head[:3] == "BZh" && head[3] >= '1' && head[3] <= '9' &&
		(head[4:10] == "1AY&SY" || head[4:10] == "\x17\x72\x45\x38\x50\x90")
}

// isZlib reports whether head could be that of RFC 1950 2.2, of any window, and without a
// dictionary that the reader must have. One of 2000 runs of random bytes begins so.
func isZlib(head string) bool {
	const deflate, widest, dictionary = 8, 7, 0x20
	return len(head) >= 2 && head[0]&0xf == deflate && head[0]>>4 <= widest && head[1]&dictionary == 0 &&
		(uint(head[0])<<8|uint(head[1]))%31 == 0
}

// lzmaHeader is what stands before the first byte of a stream of lzma, which is 0.
const lzmaHeader = 13

// isLZMA reports whether head could be that of a file of lzma alone: properties, the window,
// and the length (lzma-file-format.txt 1.1). liblzma takes windows of powers of two, and one and a
// half, when it finds out the format itself.
func isLZMA(head string) bool {
	if len(head) <= lzmaHeader || head[lzmaHeader] != 0 || head[0] >= 9*5*5 {
		return false
	}
	window, size := binary.LittleEndian.Uint32([]byte(head[1:5])), binary.LittleEndian.Uint64([]byte(head[5:lzmaHeader]))
	low := window >> max(0, bits.TrailingZeros32(window))
	return (low == 0 || low == 1 || low == 3 || window == 1<<32-1) && (size+1 == 0 || size > 0 && size < 1<<38)
}

// HasMagic reports whether bytes begin like a zip, an array of NumPy, an HDF5 file, an
// archive or a compressed stream.
func HasMagic(head string) bool {
	if len(head) < 2 {
		return false
	}
	switch head[:2] {
	case "PK":
		return strings.HasPrefix(head, "PK\x03\x04") || strings.HasPrefix(head, "PK\x05\x06")
	case "\x93N":
		return strings.HasPrefix(head, "\x93NUMPY")
	case "\x89H":
		return strings.HasPrefix(head, "\x89HDF\r\n\x1a\n")
	}
	return isTar(head) || len(Packed(head)) > 0
}

// isTar reports whether head is the header of a tar of POSIX or GNU.
func isTar(head string) bool { return len(head) >= 262 && head[257:262] == "ustar" }
