package diff

import (
	"encoding/binary"
	"math"
	"slices"

	"wfs/formats/checkpoint"
)

// integers is the elements of raw, appended to dst; of U64 their bits.
func integers(dst []int64, raw []byte, d checkpoint.DType) []int64 {
	dst = slices.Grow(dst, len(raw)*8/d.Bits())
	switch d {
	case checkpoint.BOOL, checkpoint.U8:
		for _, v := range raw {
			dst = append(dst, int64(v))
		}
	case checkpoint.I8:
		for _, v := range raw {
			dst = append(dst, int64(int8(v)))
		}
	case checkpoint.U16:
		for ; len(raw) >= 2; raw = raw[2:] {
			dst = append(dst, int64(binary.LittleEndian.Uint16(raw)))
		}
	case checkpoint.I16:
		for ; len(raw) >= 2; raw = raw[2:] {
			dst = append(dst, int64(int16(binary.LittleEndian.Uint16(raw))))
		}
	case checkpoint.U32:
		for ; len(raw) >= 4; raw = raw[4:] {
			dst = append(dst, int64(binary.LittleEndian.Uint32(raw)))
		}
	case checkpoint.I32:
		for ; len(raw) >= 4; raw = raw[4:] {
			dst = append(dst, int64(int32(binary.LittleEndian.Uint32(raw))))
		}
	case checkpoint.I64, checkpoint.U64:
		for ; len(raw) >= 8; raw = raw[8:] {
			dst = append(dst, int64(binary.LittleEndian.Uint64(raw)))
		}
	}
	return dst
}

// integers compares whole numbers; a flag says that a side is of U64.
func (s *sums) integers(a, b []int64, bigA, bigB bool, first int64, o Options) {
	for i, x := range a {
		y := b[i]
		fx, fy := whole(x, bigA), whole(y, bigB)
		s.Finite++
		s.dot(fx, fy)
		// The bits of a U64 of 2⁶³ or more are those of a negative I64, which it is not.
		if x == y && (bigA == bigB || x >= 0) {
			continue
		}
		s.differ(first+int64(i), apart(x, y, bigA, bigB), math.Abs(fy), o)
	}
}

func whole(v int64, big bool) float64 {
	if big {
		return float64(uint64(v))
	}
	return float64(v)
}

// apart is the distance of two whole numbers.
func apart(x, y int64, bigX, bigY bool) float64 {
	switch {
	case bigX && bigY:
		return float64(max(uint64(x), uint64(y)) - min(uint64(x), uint64(y)))
	case !bigX && !bigY:
		return float64(distance(x, y))
	case bigX:
		return apart(y, x, bigY, bigX)
	case x >= 0:
		return apart(x, y, true, true)
	}
	return float64(uint64(y)) + float64(uint64(-x)) // which can take 65 bits
}
