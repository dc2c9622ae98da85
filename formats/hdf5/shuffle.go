package hdf5

import (
	"encoding/binary"
)

// unshuffle undoes the shuffle filter: src holds the first byte of each element,
// then the second of each, and so on; bytes that are no whole element are at the
// end as they were (H5Zshuffle.c).
func unshuffle(dst, src []byte, size int) {
	if size < 2 || len(src)/size < 2 {
		copy(dst, src)
		return
	}
	n := len(src) / size
	done := 0
	switch size {
	case 2:
		done = unshuffle2(dst, src, n)
	case 4:
		done = unshuffle4(dst, src, n)
	case 8:
		done = unshuffle8(dst, src, n)
	}
	for j := range size {
		for i := done; i < n; i++ {
			dst[i*size+j] = src[j*n+i]
		}
	}
	copy(dst[n*size:], src[n*size:])
}

// spread puts the four low bytes of v into the even bytes of a word.
func spread(v uint64) uint64 {
	v = (v | v<<16) & 0x0000ffff0000ffff
	return (v | v<<8) & 0x00ff00ff00ff00ff
}

// pairs puts the two low 16-bit parts of v four bytes apart.
func pairs(v uint64) uint64 { return v&0xffff | v&0xffff0000<<16 }

func unshuffle2(dst, src []byte, n int) int {
	a, b := src[:n], src[n:2*n]
	i := 0
	for ; i+8 <= n; i += 8 {
		x, y := binary.LittleEndian.Uint64(a[i:]), binary.LittleEndian.Uint64(b[i:])
		out := dst[2*i : 2*i+16 : 2*i+16]
		binary.LittleEndian.PutUint64(out, spread(x&0xffffffff)|spread(y&0xffffffff)<<8)
		binary.LittleEndian.PutUint64(out[8:], spread(x>>32)|spread(y>>32)<<8)
	}
	return i
}

// unshuffle4 transposes eight elements at a time in words: bytes of two planes into
// 16-bit parts, and those of both halves into elements.
func unshuffle4(dst, src []byte, n int) int {
	a, b, c, d := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
	i := 0
	for ; i+8 <= n; i += 8 {
		x, y := binary.LittleEndian.Uint64(a[i:]), binary.LittleEndian.Uint64(b[i:])
		z, w := binary.LittleEndian.Uint64(c[i:]), binary.LittleEndian.Uint64(d[i:])
		out := dst[4*i : 4*i+32 : 4*i+32]
		for k := 0; k < 32; k += 16 {
			low := spread(x&0xffffffff) | spread(y&0xffffffff)<<8
			high := spread(z&0xffffffff) | spread(w&0xffffffff)<<8
			binary.LittleEndian.PutUint64(out[k:], pairs(low)|pairs(high)<<16)
			binary.LittleEndian.PutUint64(out[k+8:], pairs(low>>32)|pairs(high>>32)<<16)
			x, y, z, w = x>>32, y>>32, z>>32, w>>32
		}
	}
	return i
}

// unshuffle8 transposes blocks of eight by eight bytes.
func unshuffle8(dst, src []byte, n int) int {
	i := 0
	for ; i+8 <= n; i += 8 {
		var r [8]uint64
		for j := range r {
			r[j] = binary.LittleEndian.Uint64(src[j*n+i:])
		}
		// Swap ever larger blocks across the diagonal: bytes, pairs, halves.
		for j := 0; j < 8; j += 2 {
			t := (r[j]>>8 ^ r[j+1]) & 0x00ff00ff00ff00ff
			r[j], r[j+1] = r[j]^t<<8, r[j+1]^t
		}
		for _, j := range [4]int{0, 1, 4, 5} {
			t := (r[j]>>16 ^ r[j+2]) & 0x0000ffff0000ffff
			r[j], r[j+2] = r[j]^t<<16, r[j+2]^t
		}
		for j := range 4 {
			r[j], r[j+4] = r[j]&0xffffffff|r[j+4]<<32, r[j]>>32|r[j+4]&^0xffffffff
		}
		out := dst[8*i : 8*i+64 : 8*i+64]
		for j := range r {
			binary.LittleEndian.PutUint64(out[8*j:], r[j])
		}
	}
	return i
}
