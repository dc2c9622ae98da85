package hdf5

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// scaleOffset is the filter of that name (H5Zscaleoffset.c): the elements of a chunk
// are packed as their distance from the least of them, in as many bits as the greatest
// distance needs. Floating-point numbers were multiplied by a power of ten before, and
// rounded.
type scaleOffset struct {
	plain   bool // all bits are kept: nothing was done
	float   bool
	count   uint64 // elements of a chunk
	size    uint64 // bytes of an element
	big     bool   // byte order of the result
	hasFill bool
	fill    uint64
	power   int // of ten
}

// decodeScaleOffset checks the filter's parameters (H5Z__set_local_scaleoffset): all
// that the library would refuse at each chunk has a reason here.
func decodeScaleOffset(client []uint32) (*scaleOffset, string) {
	const (
		values                  = 20
		floatDecimal, intMethod = 0, 2
		classInt, classFloat    = 0, 1
	)
	if len(client) != values {
		return nil, fmt.Sprintf("the scaleoffset filter has %d parameters", len(client))
	}
	method, factor, class := client[0], int32(client[1]), client[3]
	s := &scaleOffset{
		float: class == classFloat, count: uint64(client[2]), size: uint64(client[4]), big: client[6] == 1,
		hasFill: client[7] == 1, fill: uint64(client[8]) | uint64(client[9])<<32, power: int(factor),
	}
	known := s.size == 4 || s.size == 8 || !s.float && (s.size == 1 || s.size == 2)
	switch {
	case class > classFloat || s.float && method != floatDecimal || !s.float && method != intMethod:
		return nil, fmt.Sprintf("the scaleoffset filter's method %d of class %d", method, class)
	case client[6] > 1 || client[7] > 1 || !known || s.count == 0:
		return nil, fmt.Sprintf("the scaleoffset filter's elements of %d bytes", s.size)
	case !s.float && factor > int32(8*s.size):
		return nil, fmt.Sprintf("the scaleoffset filter's %d bits of %d", factor, 8*s.size)
	}
	s.plain = !s.float && factor == int32(8*s.size)
	if s.size < 8 {
		s.fill &= 1<<(8*s.size) - 1
	}
	return s, ""
}

// undo fills dst, count elements, from a chunk.
func (s *scaleOffset) undo(dst, src []byte) bool {
	const head = 4 + 1 + 16 // bits, size of the least value, the value
	if len(src) < head || uint64(len(dst)) != s.count*s.size {
		return false
	}
	bits, full := uint64(binary.LittleEndian.Uint32(src)), 8*s.size
	var least uint64
	for i := range min(8, int(src[4])) {
		least |= uint64(src[5+i]) << (8 * i)
	}
	src = src[head:]
	switch {
	case bits > full:
		return false
	case bits == full:
		if len(src) < len(dst) {
			return false
		}
		if copy(dst, src); s.big {
			reverse(dst, int(s.size))
		}
		return true
	case s.float && s.size == 4:
		s.each(dst, src, bits, s.singles(least))
	case s.float:
		s.each(dst, src, bits, s.doubles(least))
	default:
		s.each(dst, src, bits, func(v uint64) uint64 { return v + least })
	}
	return bits*s.count <= 8*uint64(len(src))
}

// each unpacks the elements. The greatest number of all stands for the fill value.
func (s *scaleOffset) each(dst, src []byte, bits uint64, value func(uint64) uint64) {
	in := bitStream{b: src}
	size := int(s.size)
	none := uint64(1)<<bits - 1
	for ; len(dst) >= size; dst = dst[size:] {
		v := in.number(uint(bits))
		if s.hasFill && v == none {
			v = s.fill
		} else {
			v = value(v)
		}
		if s.big {
			for i := range size {
				dst[size-1-i] = byte(v >> (8 * i))
			}
			continue
		}
		for i := range size {
			dst[i] = byte(v >> (8 * i))
		}
	}
}

// singles computes as the library does, in single precision at each step.
func (s *scaleOffset) singles(least uint64) func(uint64) uint64 {
	ten, _ := strconv.ParseFloat("1e"+strconv.Itoa(s.power), 32)
	scale, offset := float32(ten), math.Float32frombits(uint32(least))
	return func(v uint64) uint64 {
		scaled := float32(int32(v)) / scale
		return uint64(math.Float32bits(scaled + offset))
	}
}

func (s *scaleOffset) doubles(least uint64) func(uint64) uint64 {
	scale, _ := strconv.ParseFloat("1e"+strconv.Itoa(s.power), 64)
	offset := math.Float64frombits(least)
	return func(v uint64) uint64 {
		scaled := float64(int64(v)) / scale
		return math.Float64bits(scaled + offset)
	}
}

// reverse turns around the bytes of each element.
func reverse(b []byte, size int) {
	for ; len(b) >= size; b = b[size:] {
		for i, j := 0, size-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}
