package ops

import (
	"fmt"

	"wfs/formats/checkpoint"
)

// maxPieces is how many arrays one can be taken apart into.
const maxPieces = 1 << 16

// Split cuts a dimension into parts of the given sizes, as torch.split does. They fill it;
// one of them may be -1, what the others leave.
func Split(a Array, dim int, sizes ...int64) ([]Array, error) {
	parts, err := split(a, dim, sizes)
	return parts, within("split", err)
}

func split(a Array, dim int, sizes []int64) ([]Array, error) {
	axis, err := axisOf(dim, len(a.Shape), a.Shape)
	if err != nil {
		return nil, err
	}
	if sizes, err = filling(a.Shape[axis], sizes); err != nil {
		return nil, err
	}
	parts := make([]Array, len(sizes))
	from := int64(0)
	for i, n := range sizes {
		if parts[i], err = Slice(a, axis, from, from+n, 1); err != nil {
			return nil, err
		}
		from += n
	}
	return parts, nil
}

// filling is sizes that fill size together, with what is left in the place of a -1.
func filling(size int64, sizes []int64) ([]int64, error) {
	if len(sizes) > maxPieces {
		return nil, fmt.Errorf("more than %d parts", maxPieces)
	}
	known, open := make([]int64, len(sizes)), -1
	for i, n := range sizes {
		switch {
		case n >= 0:
			known[i] = n
		case n == -1 && open < 0:
			open = i
		default:
			return nil, fmt.Errorf("the sizes %s: each is 0 or more, and one at most is -1", checkpoint.ShapeText(sizes))
		}
	}
	total, err := sum(known)
	if err != nil {
		return nil, err
	}
	if open >= 0 && total <= size {
		known[open] = size - total
		total = size
	}
	if total != size {
		return nil, fmt.Errorf("the sizes %s are %d together, the dimension is %d", checkpoint.ShapeText(sizes), total, size)
	}
	return known, nil
}

// Chunk cuts a dimension into n parts of one size. A dimension that does not divide is
// refused: torch.chunk would make the last part smaller, or fewer parts.
func Chunk(a Array, dim, n int) ([]Array, error) {
	axis, err := axisOf(dim, len(a.Shape), a.Shape)
	if err != nil {
		return nil, within("chunk", err)
	}
	if n < 1 || n > maxPieces || a.Shape[axis]%int64(n) != 0 {
		return nil, fmt.Errorf("chunk: dimension %d of %s does not divide into %d parts", axis, checkpoint.ShapeText(a.Shape), n)
	}
	sizes := make([]int64, n)
	for i := range sizes {
		sizes[i] = a.Shape[axis] / int64(n)
	}
	parts, err := split(a, axis, sizes)
	return parts, within("chunk", err)
}

// Unstack takes a dimension apart: an array for each of its indices, without it.
func Unstack(a Array, dim int) ([]Array, error) {
	axis, err := axisOf(dim, len(a.Shape), a.Shape)
	if err != nil {
		return nil, within("unstack", err)
	}
	elements, _ := a.DType.Block()
	switch n := a.Shape[axis]; {
	case n > maxPieces:
		return nil, fmt.Errorf("unstack: %d arrays are more than %d", n, maxPieces)
	case elements > 1 && axis == len(a.Shape)-1:
		return nil, fmt.Errorf("unstack: %d elements of %s along the last dimension are one block, and none moves alone", elements, a.DType)
	}
	parts := make([]Array, a.Shape[axis])
	for i := range parts {
		part, err := Slice(a, axis, int64(i), int64(i)+1, 1)
		if err != nil {
			return nil, within("unstack", err)
		}
		parts[i] = part.drop(axis)
	}
	return parts, nil
}

// Rank is what one of several ranks has of an array that tensor parallelism cuts along a
// dimension: dimension 0 of a weight (out, in) for what transformers calls colwise, 1 for
// rowwise. Where it does not divide, the last ranks have less, as with torch.chunk. sizes are
// those of parts that were fused, as gate and up or q, k and v are: each of them is cut by itself (packed_colwise).
func Rank(a Array, dim, rank, of int, sizes ...int64) (Array, error) {
	b, err := rankOf(a, dim, rank, of, sizes)
	return b, within("rank", err)
}

func rankOf(a Array, dim, rank, of int, sizes []int64) (Array, error) {
	if of < 1 || of > maxPieces || rank < 0 || rank >= of {
		return Array{}, fmt.Errorf("rank %d of %d: ranks count from 0, up to %d", rank, of, maxPieces)
	}
	axis, err := axisOf(dim, len(a.Shape), a.Shape)
	if err != nil {
		return Array{}, err
	}
	if len(sizes) == 0 {
		sizes = []int64{-1}
	}
	if sizes, err = filling(a.Shape[axis], sizes); err != nil {
		return Array{}, err
	}
	parts := make([]Array, len(sizes))
	from := int64(0)
	for i, n := range sizes {
		each := (n + int64(of) - 1) / int64(of)
		first := min(int64(rank)*each, n)
		if parts[i], err = Slice(a, axis, from+first, from+min(first+each, n), 1); err != nil {
			return Array{}, err
		}
		from += n
	}
	return concat(axis, parts)
}
