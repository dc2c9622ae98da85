package ops

import "wfs/formats/checkpoint"

// Widener converts elements of a floating-point dtype to little-endian float32, which dst has
// room for: 4 bytes for each of src. ok is false for dtypes that Cast does not cast from.
func Widener(d checkpoint.DType) (widen func(dst, src []byte), ok bool) {
	k, ok := best.widener(d)
	return orCopy(k), ok
}

// Narrower converts little-endian float32 to d, rounding as Cast does. ok is false for dtypes
// that Cast does not cast to.
func Narrower(d checkpoint.DType) (narrow func(dst, src []byte), ok bool) {
	k, ok := best.narrower(d)
	return orCopy(k), ok
}

func orCopy(k kernel) kernel {
	if k == nil {
		return func(dst, src []byte) { copy(dst, src) }
	}
	return k
}
