package segment

import (
	"slices"

	"wfs/formats/internal/transpose"
)

// tile is how many elements of the output are written at once while the source is
// walked in its own order: a line of the processor's cache, for the common widths.
const tile = 16

// scatter copies every element of dims from its place in src to its place in dst.
func scatter(dst, src []byte, elem int64, dims []dim) {
	dims = slices.Clone(dims)
	slices.SortFunc(dims, func(a, b dim) int { return int(min(1, max(-1, b.out-a.out))) })
	last := len(dims) - 1
	if last < 1 || dims[last].stride <= 1 {
		copyDims(dst, src, 0, 0, elem, dims)
		return
	}
	// A transpose: the output runs along the last dimension, the source along another.
	row, along := dims[last], last
	for i, d := range dims[:last] {
		if d.stride > 0 && d.stride < dims[along].stride {
			along = i
		}
	}
	if along == last {
		copyDims(dst, src, 0, 0, elem, dims)
		return
	}
	column := dims[along]
	outer := slices.Delete(dims[:last], along, along+1)
	if row.out == 1 && column.stride == 1 {
		transposed(dst, src, 0, 0, elem, outer, row, column)
		return
	}
	tiles := row.size / tile
	if tiles > 0 {
		copyDims(dst, src, 0, 0, elem, slices.Concat(outer,
			[]dim{{tiles, row.stride * tile, row.out * tile}, column, {tile, row.stride, row.out}}))
	}
	if rest := row.size % tile; rest > 0 {
		copyDims(dst, src, tiles*tile*row.out, tiles*tile*row.stride, elem, slices.Concat(outer,
			[]dim{column, {rest, row.stride, row.out}}))
	}
}

// transposed copies a matrix, whose rows run in the source and whose columns in the output,
// for each index of outer.
func transposed(dst, src []byte, out, in, elem int64, outer []dim, row, column dim) {
	if len(outer) == 0 {
		transpose.Copy(dst[out*elem:], src[in*elem:], int(elem), int(row.size), int(column.size), int(column.out*elem), int(row.stride*elem))
		return
	}
	d := outer[0]
	for i := range d.size {
		transposed(dst, src, out+i*d.out, in+i*d.stride, elem, outer[1:], row, column)
	}
}

// copyDims copies in the order of dims.
func copyDims(dst, src []byte, out, in, elem int64, dims []dim) {
	switch len(dims) {
	case 0:
		copy(dst[out*elem:(out+1)*elem], src[in*elem:])
		return
	case 1:
		copyRun(dst[out*elem:], src[in*elem:], elem, dims[0])
		return
	}
	d := dims[0]
	for i := int64(0); i < d.size; i++ {
		copyDims(dst, src, out+i*d.out, in+i*d.stride, elem, dims[1:])
	}
}

// copyRun is the innermost loop; the common element sizes have one of their own.
func copyRun(dst, src []byte, elem int64, d dim) {
	if d.stride == 1 && d.out == 1 {
		copy(dst[:d.size*elem], src)
		return
	}
	out, in := d.out*elem, d.stride*elem
	switch elem {
	case 1:
		for i := range d.size {
			dst[i*out] = src[i*in]
		}
	case 2:
		for i := range d.size {
			*(*[2]byte)(dst[i*out:]) = [2]byte(src[i*in:])
		}
	case 4:
		for i := range d.size {
			*(*[4]byte)(dst[i*out:]) = [4]byte(src[i*in:])
		}
	case 8:
		for i := range d.size {
			*(*[8]byte)(dst[i*out:]) = [8]byte(src[i*in:])
		}
	default:
		for i := range d.size {
			copy(dst[i*out:i*out+elem], src[i*in:])
		}
	}
}
