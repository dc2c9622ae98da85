// Package ops computes tensors from tensors while they are read. Cast changes the dtype of
// floating-point numbers, as torch's .to() does, and dequantizes the blocks of ggml; MulAdd is
// the matrix product of a LoRA, and AddScaled adds it to the weights.
//
// An Array is moved by Permute, Reshape, Slice, Concat and the others, which change where its
// elements are looked for: a movement of a movement is one gather (segment.Layout), and what
// was cast, or computed element by element, is moved before that. Nothing is held but Bands.
//
// Scale, Add, Lerp, Mean and the others compute with arrays of one shape and of any dtypes
// that Cast has. They do so in float32; so are the results, which whoever ends a chain of
// operations rounds once, by Array.To. Weights are rounded to float32, and a float64 is rounded
// to it first. What is added to a result is a step more of it (fold.go): memory does not
// depend on how many checkpoints are merged. No result depends on how its bytes are asked for.
//
// What decides on speed has two forms: one in Go, for every machine (portable.go), and one
// in assembly for amd64 with AVX2 (kernels_amd64.s). Both give the same bits.
package ops

import (
	"fmt"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/ops/ggml"
	"wfs/formats/segment"
)

// kernel converts all elements of src, which dst has room for. They may begin at the same
// byte where dst's elements are no wider than src's, and share no other.
type kernel func(dst, src []byte)

// kernels are the conversions from and to little-endian float32, the inner loops of MulAdd
// and AddScaled, and what is done to float32 one by one.
type kernels struct {
	fromF64, fromF16, fromBF16    kernel
	toF16, toBF16, toE4M3, toE5M2 kernel
	// fromF8 is where there is something faster than a table.
	fromF8 map[checkpoint.DType]kernel
	// block adds B·A to C, for one to four rows, and blockCols times blocks columns. Distances between
	// rows are in elements.
	block func(c, b, a []float32, rows, inner, blocks, cs, bs, as int)
	// addF32 and the others are AddScaled.
	addF32, addF16, addBF16 addScaled

	// sums adds the products of float32 to their sums.
	sums func(sums *sumLanes, x, y []byte)

	arithmetic
}

// best is the fastest kernels of this machine.
var best = native()

// widener makes float32 of d, or is nil where d is float32 itself.
func (k *kernels) widener(d checkpoint.DType) (widen kernel, ok bool) {
	switch d {
	case checkpoint.F32:
		return nil, true
	case checkpoint.F64:
		return k.fromF64, true
	case checkpoint.F16:
		return k.fromF16, true
	case checkpoint.BF16:
		return k.fromBF16, true
	}
	if widen := k.fromF8[d]; widen != nil {
		return widen, true
	}
	if widen := ggml.Kernel(d); widen != nil {
		return widen, true
	}
	if formats[d].bits == 0 {
		return nil, false
	}
	return tabled(d), true
}

// narrower makes d of float32, or is nil where d is float32 itself.
func (k *kernels) narrower(d checkpoint.DType) (narrow kernel, ok bool) {
	switch d {
	case checkpoint.F32:
		return nil, true
	case checkpoint.F16:
		return k.toF16, true
	case checkpoint.BF16:
		return k.toBF16, true
	case checkpoint.F8E4M3:
		return k.toE4M3, true
	case checkpoint.F8E5M2:
		return k.toE5M2, true
	}
	return nil, false
}

// Casts reports whether Cast converts from one dtype to the other.
func Casts(from, to checkpoint.DType) bool {
	_, in := best.widener(from)
	_, out := best.narrower(to)
	return in && out || from == to
}

// Cast serves data, whose elements are of the dtype from, as elements of the dtype to: F32,
// F16, BF16, F8_E4M3 or F8_E5M2, of any floating-point dtype with 4, 8, 16, 32 or 64 bits, or
// of a block type of ggml, whose float32 are those of gguf.dequantize.
//
// The result is torch's, NaNs apart. It goes through float32, so that a float64 is rounded
// twice on its way to 16 bits. Rounding is to the nearest, and to the even one of two. What
// is too large becomes an infinity, in F8_E4M3 the largest number, ±448. A NaN stays one and
// keeps its sign; torch's has other bits in another place of a tensor.
func Cast(data segment.Data, from, to checkpoint.DType) (segment.Data, error) {
	return Saturate.Cast(data, from, to)
}

// Overflow is what a cast makes of numbers that are too large for a dtype without
// infinities, which is F8_E4M3.
type Overflow uint8

const (
	// Saturate makes the largest number, ±448, as torch does since its pull request 178817
	// of April 2026.
	Saturate Overflow = iota
	// NaN makes a NaN of what is past 464, and so nearer to where the next number would be,
	// as torch did before, and ml_dtypes does.
	NaN
)

// Cast is Cast with that.
func (o Overflow) Cast(data segment.Data, from, to checkpoint.DType) (segment.Data, error) {
	if from == to {
		return data, nil
	}
	widen, in := best.widener(from)
	narrow, out := best.narrower(to)
	if to == checkpoint.F8E4M3 && o == NaN {
		narrow = best.toE4M3NaN
	}
	switch {
	case !in:
		return nil, fmt.Errorf("numbers of dtype %s cannot be cast: wfs casts floating-point numbers, and the block types of ggml", from)
	case !out:
		return nil, fmt.Errorf("wfs does not cast to %s: it casts to F32, F16, BF16, F8_E4M3 and F8_E5M2", to)
	}
	elements, bytes := from.Block()
	e := &segment.Elementwise{From: data, In: bytes, Out: elements * int64(to.Bits()/8)}
	switch {
	case narrow == nil:
		e.Apply = widen
	case widen == nil:
		e.Apply = narrow
	default:
		e.Apply = through(widen, narrow, int(e.In), int(e.Out), int(elements))
	}
	return e, nil
}

// toE4M3NaN is toE4M3 that saturates nothing.
func (k *kernels) toE4M3NaN(dst, src []byte) {
	buffer := wide.Get().(*[16 << 10]byte)
	defer wide.Put(buffer)
	for len(src) > 0 {
		b := buffer[:copy(buffer[:], src)]
		k.beyond(b, nil, nil, beyondE4M3, 0)
		k.toE4M3(dst, b)
		src, dst = src[len(b):], dst[len(b)/4:]
	}
}

// wide holds float32 between two conversions, in the nearest cache.
var wide = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// through converts elements, in bytes of them to out, by way of float32.
func through(widen, narrow kernel, in, out, elements int) kernel {
	return func(dst, src []byte) {
		buffer := wide.Get().(*[16 << 10]byte)
		defer wide.Put(buffer)
		most := len(buffer) / (4 * elements)
		for count := len(src) / in; count > 0; {
			n := min(count, most)
			b := buffer[:4*elements*n]
			widen(b, src[:n*in])
			narrow(dst[:n*out], b)
			dst, src, count = dst[n*out:], src[n*in:], count-n
		}
	}
}
