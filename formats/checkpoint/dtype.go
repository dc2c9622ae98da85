package checkpoint

import "fmt"

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
)

type dtypeInfo struct {
	name  string
	bits  int
	numpy string // array-protocol descriptor, "" where NumPy has no such type
	torch string // torch.<name>
}

var dtypes = [...]dtypeInfo{
	Invalid:    {"?", 0, "", ""},
	BOOL:       {"BOOL", 8, "|b1", "bool"},
	F4:         {"F4", 4, "", "float4_e2m1fn_x2"},
	F6E2M3:     {"F6_E2M3", 6, "", ""},
	F6E3M2:     {"F6_E3M2", 6, "", ""},
	U8:         {"U8", 8, "|u1", "uint8"},
	I8:         {"I8", 8, "|i1", "int8"},
	F8E5M2:     {"F8_E5M2", 8, "", "float8_e5m2"},
	F8E4M3:     {"F8_E4M3", 8, "", "float8_e4m3fn"},
	F8E8M0:     {"F8_E8M0", 8, "", "float8_e8m0fnu"},
	F8E4M3FNUZ: {"F8_E4M3FNUZ", 8, "", "float8_e4m3fnuz"},
	F8E5M2FNUZ: {"F8_E5M2FNUZ", 8, "", "float8_e5m2fnuz"},
	I16:        {"I16", 16, "<i2", "int16"},
	U16:        {"U16", 16, "<u2", "uint16"},
	F16:        {"F16", 16, "<f2", "float16"},
	BF16:       {"BF16", 16, "", "bfloat16"},
	I32:        {"I32", 32, "<i4", "int32"},
	U32:        {"U32", 32, "<u4", "uint32"},
	F32:        {"F32", 32, "<f4", "float32"},
	C64:        {"C64", 64, "<c8", "complex64"},
	F64:        {"F64", 64, "<f8", "float64"},
	I64:        {"I64", 64, "<i8", "int64"},
	U64:        {"U64", 64, "<u8", "uint64"},
	C128:       {"C128", 128, "<c16", "complex128"},
	C32:        {"C32", 32, "", "complex32"},
	BC32:       {"BC32", 32, "", "bcomplex32"},
}

// String is the safetensors name.
func (d DType) String() string { return d.info().name }

// Bits is the width of one element; 4 and 6 occur.
func (d DType) Bits() int { return d.info().bits }

// NumPy is the array-protocol descriptor ("<f4"), "" where NumPy has no such type.
func (d DType) NumPy() string { return d.info().numpy }

// Torch is the name below torch ("float32"), "" where torch has no such dtype.
func (d DType) Torch() string { return d.info().torch }

// InSafetensors says whether the safetensors format has the dtype.
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
