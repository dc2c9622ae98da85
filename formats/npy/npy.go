// Package npy writes the headers of .npy files
// (numpy/lib/format.py: "Format Version 1.0" and "2.0").
package npy

import (
	"encoding/binary"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
)

const (
	magic = "\x93NUMPY"
	// align is what the array's data begins at a multiple of, so that np.load can map it.
	align = 64
	// version1Max is the longest header whose length fits into two bytes.
	version1Max = 1<<16 - 1
)

// Descr is the dtype in the header. NumPy has no bfloat16 and no float8: their
// elements are void of the same size ('|V2'), which loads everywhere, keeps every bit,
// and cannot be taken for numbers. A byte of F4 holds two elements, F6 is packed. Blocks with
// scales are bytes, as gguf.dequantize takes them.
func Descr(d checkpoint.DType) string {
	if name := d.NumPy(); name != "" {
		return name
	}
	if d.Bits() == 0 {
		return checkpoint.U8.NumPy()
	}
	return Void(int64(max(8, d.Bits()) / 8))
}

// Void is the dtype of elements of n bytes of which nothing else is known.
func Void(n int64) string { return "|V" + strconv.FormatInt(n, 10) }

// Shape is the shape in the header: that of the tensor, or of its bytes where an
// element is less than one, or in a block with others.
func Shape(d checkpoint.DType, shape []int64) []int64 {
	elements, bytes := d.Block()
	if elements == 1 || len(shape) == 0 {
		return shape
	}
	size, err := checkpoint.ByteSize(d, shape)
	last := shape[len(shape)-1]
	if err != nil || last%elements != 0 {
		return []int64{size}
	}
	packed := append([]int64(nil), shape...)
	packed[len(packed)-1] = last / elements * bytes
	return packed
}

// Header is everything before the data of a C-order array.
func Header(descr string, shape []int64) []byte {
	var b strings.Builder
	b.WriteString("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (")
	for i, n := range shape {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	if len(shape) == 1 {
		b.WriteByte(',')
	}
	b.WriteString("), }")
	dict := b.String()

	prefix := len(magic) + 2 + 2
	if len(dict)+prefix+align > version1Max {
		prefix += 2
	}
	total := (prefix + len(dict) + 1 + align - 1) / align * align
	out := make([]byte, 0, total)
	out = append(out, magic...)
	if prefix == len(magic)+4 {
		out = append(out, 1, 0)
		out = binary.LittleEndian.AppendUint16(out, uint16(total-prefix))
	} else {
		out = append(out, 2, 0)
		out = binary.LittleEndian.AppendUint32(out, uint32(total-prefix))
	}
	out = append(out, dict...)
	for len(out) < total-1 {
		out = append(out, ' ')
	}
	return append(out, '\n')
}
