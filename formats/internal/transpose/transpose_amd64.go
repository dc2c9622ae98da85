package transpose

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// tileCols is the columns of a tile.
const tileCols = 8

// tiles copies what of m consists of whole tiles, which in the output are a register wide,
// and returns its rows and columns. A store of 32 bytes instead of eight of four has more
// lines of the cache under way.
func (m *matrix) tiles(rows, cols int) (int, int) {
	tile, high := tile4, 8
	switch {
	case !cpu.X86.HasAVX2:
		return 0, 0
	case m.width == 2:
		tile, high = tile2, 16
	case m.width != 4:
		return 0, 0
	}
	rows, cols = rows/high*high, cols/tileCols*tileCols
	if rows == 0 {
		return 0, 0
	}
	for j := 0; j < cols; j += tileCols {
		tile(m.to(0, j), m.from(0, j), m.dstStride, m.srcStride, rows/high)
	}
	return rows, cols
}

// tile4 copies eight columns of elements of four bytes, in groups of eight rows.
//
//go:noescape
func tile4(dst, src unsafe.Pointer, dstStride, srcStride, groups int)

// tile2 copies eight columns of elements of two bytes, in groups of 16 rows.
//
//go:noescape
func tile2(dst, src unsafe.Pointer, dstStride, srcStride, groups int)
