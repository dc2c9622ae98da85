package torch

import (
	"encoding/binary"
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// storage is a run of elements that tensors are views of.
type storage struct {
	data  segment.Data
	dtype checkpoint.DType // of the storage class; U8 where it is untyped
	// id and number tell storages of one file apart, and the parts of one that are views.
	id string
	// number is one more than the place in the inventory of the file, the same for all the
	// parts of a storage; 0 for one that is in no inventory.
	number int
	// swap is the bytes of the big-endian numbers in it, 0 where they are little
	// endian. torch swaps by the storage's class, so an untyped one stays as it is
	// (torch/storage.py, UntypedStorage.byteswap).
	swap int64
	// ref is what the pickle says of a storage that is not opened yet. Of such a one nothing
	// but the dtype is known.
	ref *storageRef
}

// array is a rebuilt tensor: a strided view of a storage.
type array struct {
	storage *storage
	dtype   checkpoint.DType
	to      checkpoint.DType // what the numbers are converted to, Invalid for nothing
	conj    bool             // the imaginary parts are to be negated
	neg     bool             // the numbers are to be negated
	offset  int64            // of the first element, in elements of dtype
	size    []int64
	stride  []int64 // in elements of dtype
	rare    *rare   // what few tensors have, nil for others
}

// rare is what few tensors have.
type rare struct {
	asSaved string // the dtype that torch would convert the numbers to, and wfs does not
	// logical is the tensor's own size where its numbers are packed several in a byte, and
	// size counts bytes.
	logical []int64
}

// kind is the dtype of what data returns.
func (a *array) kind() checkpoint.DType {
	if a.to != checkpoint.Invalid {
		return a.to
	}
	return a.dtype
}

// pack makes a tensor of numbers that are packed perByte in a byte, in C order, the bytes
// that they fill, as torch's int_repr() does (aten/src/ATen/native/quantized/cpu/IntReprQuant.cpp).
func (a *array) pack(perByte int64) error {
	count, err := segment.Count(a.size)
	if err != nil {
		return errDamaged{err}
	}
	for i, step := range contiguous(a.size) {
		if count > 0 && a.size[i] > 1 && a.stride[i] != step {
			a.offset = -1
		}
	}
	if a.offset != 0 {
		return fmt.Errorf("its numbers are packed %d in a byte, and do not lie one after the other", perByte)
	}
	a.rare = &rare{logical: a.size}
	a.size, a.stride = []int64{(count-1)/perByte + 1}, []int64{1}
	if count == 0 {
		a.size = []int64{0}
	}
	return nil
}

// data is the array's elements in C order, little endian.
func (a *array) data(bands *segment.Bands) (segment.Data, error) {
	elem := elemSize(a.dtype)
	limit := a.storage.data.Size()
	if a.offset < 0 || a.offset > limit/elem {
		return nil, fmt.Errorf("storage offset %d is outside a storage of %d bytes", a.offset, limit)
	}
	d := a.storage.data
	if !a.fills() {
		var err error
		if d, err = segment.NewStrided(bands, d, limit, a.offset*elem, elem, a.size, a.stride); err != nil {
			return nil, err
		}
	}
	if d.Size() == 0 {
		return d, nil
	}
	if a.storage.swap > 1 {
		d = segment.Swap(d, a.storage.swap)
	}
	if a.conj && isComplex(a.dtype) {
		d = negate(d, component(a.dtype), true, false)
	}
	if a.neg {
		d = negate(d, component(a.dtype), false, isInteger(a.dtype))
	}
	if a.to != checkpoint.Invalid {
		d = convert(d, a.dtype, a.to)
	}
	return d, nil
}

// fills reports whether a is its whole storage as it lies there, which most tensors are.
func (a *array) fills() bool {
	step := int64(1)
	for i := len(a.size) - 1; i >= 0; i-- {
		if a.stride[i] != step || a.size[i] <= 0 || a.size[i] > maxFills/step {
			return false
		}
		step *= a.size[i]
	}
	return a.offset == 0 && step*elemSize(a.dtype) == a.storage.data.Size()
}

// maxFills keeps the products of fills from an overflow.
const maxFills = 1 << 56

// shape is the tensor's shape in elements of its dtype. safetensors counts the
// numbers of an F4 tensor, torch the bytes, so the last size is doubled
// (safetensors bindings/python/src/lib.rs).
func (a *array) shape() ([]int64, error) {
	if a.dtype != checkpoint.F4 {
		return a.size, nil
	}
	if len(a.size) == 0 {
		return nil, fmt.Errorf("a scalar of dtype F4 has no shape that safetensors can write")
	}
	shape := append([]int64(nil), a.size...)
	shape[len(shape)-1] *= 2
	return shape, nil
}

// identity is equal for arrays with the same bytes in the same place.
func (a *array) identity() string {
	b := append([]byte(a.storage.id), 0, byte(a.dtype), byte(a.to), b2(a.conj)|b2(a.neg)<<1)
	b = binary.AppendVarint(b, int64(a.storage.number))
	b = binary.AppendVarint(b, a.offset)
	for i := range a.size {
		b = binary.AppendVarint(b, a.size[i])
		b = binary.AppendVarint(b, a.stride[i])
	}
	return string(b)
}

// same reports whether the identities of a and b are equal.
func (a *array) same(b *array) bool {
	return a.storage.number == b.storage.number && a.storage.id == b.storage.id &&
		a.dtype == b.dtype && a.to == b.to && a.conj == b.conj && a.neg == b.neg && a.offset == b.offset &&
		slices.Equal(a.size, b.size) && slices.Equal(a.stride, b.stride)
}

func b2(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// negate flips the sign of little-endian numbers of width bytes: of every one, or
// of every second where only imaginary parts are meant.
func negate(from segment.Data, width int64, imaginary, integer bool) segment.Data {
	elem, first := width, int64(0)
	if imaginary {
		elem, first = 2*width, width
	}
	return &segment.Elementwise{From: from, In: elem, Out: elem, Apply: func(dst, src []byte) {
		copy(dst, src)
		for i := first; i+width <= int64(len(dst)); i += elem {
			number := dst[i : i+width]
			if !integer {
				number[width-1] ^= 0x80
				continue
			}
			carry := uint16(1)
			for j := range number {
				v := uint16(^number[j]) + carry
				number[j], carry = byte(v), v>>8
			}
		}
	}}
}

// contiguous is the C-order strides of a shape, in elements.
func contiguous(size []int64) []int64 {
	stride := make([]int64, len(size))
	step := int64(1)
	for i := len(size) - 1; i >= 0; i-- {
		stride[i] = step
		step *= max(size[i], 1)
	}
	return stride
}
