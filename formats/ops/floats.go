package ops

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"wfs/formats/checkpoint"
)

// Widens reports whether Widen takes elements of a dtype.
func Widens(d checkpoint.DType) bool {
	_, ok := best.widener(d)
	return ok
}

// Widen makes float32 of the elements of src, of dtype d, as Cast does. dst has one for each.
func Widen(dst []float32, src []byte, d checkpoint.DType) {
	widen, ok := best.widener(d)
	elements, bytes := d.Block()
	if !ok || int64(len(dst))*bytes != int64(len(src))*elements {
		panic(fmt.Sprintf("ops: %d bytes of %s for %d float32", len(src), d, len(dst)))
	}
	if b := bytesIn(dst); widen == nil {
		copy(b, src)
	} else {
		widen(b, src)
	}
	swapBig(dst)
}

// Narrow rounds src to elements of dtype d, as Cast does, and leaves src undefined.
func Narrow(dst []byte, src []float32, d checkpoint.DType) {
	narrow, ok := best.narrower(d)
	if !ok || len(dst) != len(src)*d.Bits()/8 {
		panic(fmt.Sprintf("ops: %d float32 for %d bytes of %s", len(src), len(dst), d))
	}
	swapBig(src)
	if b := bytesIn(src); narrow == nil {
		copy(dst, b)
	} else {
		narrow(dst, b)
	}
}

// bytesIn is the memory of numbers.
func bytesIn(f []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}

// bigEndian reports whether numbers have to be turned on their way to and from kernels.
var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

func swapBig(f []float32) {
	if !bigEndian {
		return
	}
	for b := bytesIn(f); len(b) > 0; b = b[4:] {
		slices.Reverse(b[:4])
	}
}
