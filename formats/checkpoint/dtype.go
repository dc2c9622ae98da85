package checkpoint

import (
	"fmt"
	"iter"
)

// DType is the element type of a tensor. The names are those of the safetensors
// format (safetensors/src/tensor.rs, enum Dtype); the ones it does not have follow
// the same pattern.
type DType uint8

// The order of the first group is safetensors' own, ascending: a writer sorts
// tensors by it, descending.
const (
	Invalid DType = iota
	BOOL
	F4 // two elements in a byte (float4_e2m1fn_x2)
	F6E2M3
	F6E3M2
	U8
	I8
	F8E5M2
	F8E4M3
	F8E8M0
	F8E4M3FNUZ
	F8E5M2FNUZ
	I16
	U16
	F16
	BF16
	I32
	U32
	F32
	C64
	F64
	I64
	U64
	// No safetensors dtype exists for the following.
	C128
	C32  // complex of two F16
	BC32 // complex of two BF16

	// The block types of ggml (ggml/src/ggml-common.h): a run of elements and their scales.
	Q40
	Q41
	Q50
	Q51
	Q80
	Q2K
	Q3K
	Q4K
	Q5K
	Q6K
	IQ2XXS
	IQ2XS
	IQ3XXS
	IQ1S
	IQ4NL
	IQ3S
	IQ2S
	IQ4XS
	IQ1M
	TQ10
	TQ20
	MXFP4
	NVFP4
	Q10
	Q20
)

type dtypeInfo struct {
	name            string
	elements, bytes int64  // of a block
	numpy           string // array-protocol descriptor, "" where NumPy has no such type
	torch           string // torch.<name>
}

var dtypes = [...]dtypeInfo{
	Invalid:    {"?", 1, 0, "", ""},
	BOOL:       {"BOOL", 1, 1, "|b1", "bool"},
	F4:         {"F4", 2, 1, "", "float4_e2m1fn_x2"},
	F6E2M3:     {"F6_E2M3", 4, 3, "", ""},
	F6E3M2:     {"F6_E3M2", 4, 3, "", ""},
	U8:         {"U8", 1, 1, "|u1", "uint8"},
	I8:         {"I8", 1, 1, "|i1", "int8"},
	F8E5M2:     {"F8_E5M2", 1, 1, "", "float8_e5m2"},
	F8E4M3:     {"F8_E4M3", 1, 1, "", "float8_e4m3fn"},
	F8E8M0:     {"F8_E8M0", 1, 1, "", "float8_e8m0fnu"},
	F8E4M3FNUZ: {"F8_E4M3FNUZ", 1, 1, "", "float8_e4m3fnuz"},
	F8E5M2FNUZ: {"F8_E5M2FNUZ", 1, 1, "", "float8_e5m2fnuz"},
	I16:        {"I16", 1, 2, "<i2", "int16"},
	U16:        {"U16", 1, 2, "<u2", "uint16"},
	F16:        {"F16", 1, 2, "<f2", "float16"},
	BF16:       {"BF16", 1, 2, "", "bfloat16"},
	I32:        {"I32", 1, 4, "<i4", "int32"},
	U32:        {"U32", 1, 4, "<u4", "uint32"},
	F32:        {"F32", 1, 4, "<f4", "float32"},
	C64:        {"C64", 1, 8, "<c8", "complex64"},
	F64:        {"F64", 1, 8, "<f8", "float64"},
	I64:        {"I64", 1, 8, "<i8", "int64"},
	U64:        {"U64", 1, 8, "<u8", "uint64"},
	C128:       {"C128", 1, 16, "<c16", "complex128"},
	C32:        {"C32", 1, 4, "", "complex32"},
	BC32:       {"BC32", 1, 4, "", "bcomplex32"},
	Q40:        {"Q4_0", 32, 18, "", ""},
	Q41:        {"Q4_1", 32, 20, "", ""},
	Q50:        {"Q5_0", 32, 22, "", ""},
	Q51:        {"Q5_1", 32, 24, "", ""},
	Q80:        {"Q8_0", 32, 34, "", ""},
	Q2K:        {"Q2_K", 256, 84, "", ""},
	Q3K:        {"Q3_K", 256, 110, "", ""},
	Q4K:        {"Q4_K", 256, 144, "", ""},
	Q5K:        {"Q5_K", 256, 176, "", ""},
	Q6K:        {"Q6_K", 256, 210, "", ""},
	IQ2XXS:     {"IQ2_XXS", 256, 66, "", ""},
	IQ2XS:      {"IQ2_XS", 256, 74, "", ""},
	IQ3XXS:     {"IQ3_XXS", 256, 98, "", ""},
	IQ1S:       {"IQ1_S", 256, 50, "", ""},
	IQ4NL:      {"IQ4_NL", 32, 18, "", ""},
	IQ3S:       {"IQ3_S", 256, 110, "", ""},
	IQ2S:       {"IQ2_S", 256, 82, "", ""},
	IQ4XS:      {"IQ4_XS", 256, 136, "", ""},
	IQ1M:       {"IQ1_M", 256, 56, "", ""},
	TQ10:       {"TQ1_0", 256, 54, "", ""},
	TQ20:       {"TQ2_0", 256, 66, "", ""},
	MXFP4:      {"MXFP4", 32, 17, "", ""},
	NVFP4:      {"NVFP4", 64, 36, "", ""},
	Q10:        {"Q1_0", 128, 18, "", ""},
	Q20:        {"Q2_0", 64, 18, "", ""},
}

// DTypes goes over all dtypes.
func DTypes() iter.Seq[DType] {
	return func(yield func(DType) bool) {
		for d := BOOL; int(d) < len(dtypes) && yield(d); d++ {
		}
	}
}

// String is the safetensors name.
func (d DType) String() string { return d.info().name }

// mostPacked is the most elements of a block that only packs them: a larger one has scales
// of its own, and no element of it can be read alone.
const mostPacked = 4

// Block is the smallest run of elements that fills whole bytes: 1 element in 4 bytes of
// F32, 2 in 1 of F4, 256 in 144 of Q4_K.
func (d DType) Block() (elements, bytes int64) { return d.info().elements, d.info().bytes }

// Bits is the width of one element, 4 and 6 among them; 0 for a type of blocks with scales.
func (d DType) Bits() int {
	if elements, bytes := d.Block(); elements <= mostPacked {
		return int(8 * bytes / elements)
	}
	return 0
}

// Parts is the dtype of the numbers in an element, and how many they are: a real and an
// imaginary one of a complex number.
func (d DType) Parts() (of DType, n int) {
	switch d {
	case C32:
		return F16, 2
	case BC32:
		return BF16, 2
	case C64:
		return F32, 2
	case C128:
		return F64, 2
	}
	return d, 1
}

// NumPy is the array-protocol descriptor ("<f4"), "" where NumPy has no such type.
func (d DType) NumPy() string { return d.info().numpy }

// Torch is the name below torch ("float32"), "" where torch has no such dtype.
func (d DType) Torch() string { return d.info().torch }

// InSafetensors reports whether the safetensors format has the dtype.
func (d DType) InSafetensors() bool { return d > Invalid && d <= U64 }

func (d DType) info() dtypeInfo {
	if int(d) >= len(dtypes) {
		return dtypes[Invalid]
	}
	return dtypes[d]
}

// ParseDType finds a dtype by its safetensors name.
func ParseDType(name string) (DType, error) {
	for d := BOOL; d <= U64; d++ {
		if dtypes[d].name == name {
			return d, nil
		}
	}
	return Invalid, fmt.Errorf("unknown dtype %q", name)
}
