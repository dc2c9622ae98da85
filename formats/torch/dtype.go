package torch

import (
	"strings"

	"wfs/formats/checkpoint"
)

// storageDTypes is the element type of each storage class (torch/storage.py).
// Quantized classes hold plain integers.
var storageDTypes = map[string]checkpoint.DType{
	"DoubleStorage":        checkpoint.F64,
	"FloatStorage":         checkpoint.F32,
	"HalfStorage":          checkpoint.F16,
	"BFloat16Storage":      checkpoint.BF16,
	"LongStorage":          checkpoint.I64,
	"IntStorage":           checkpoint.I32,
	"ShortStorage":         checkpoint.I16,
	"CharStorage":          checkpoint.I8,
	"ByteStorage":          checkpoint.U8,
	"BoolStorage":          checkpoint.BOOL,
	"ComplexFloatStorage":  checkpoint.C64,
	"ComplexDoubleStorage": checkpoint.C128,
	"QInt8Storage":         checkpoint.I8,
	"QUInt8Storage":        checkpoint.U8,
	"QInt32Storage":        checkpoint.I32,
	"QUInt4x2Storage":      checkpoint.U8,
	"QUInt2x4Storage":      checkpoint.U8,
	"UntypedStorage":       checkpoint.U8,
}

// packed is the numbers in a byte of the storage classes that pack them
// (c10/core/ScalarType.h, quint4x2 and quint2x4).
var packed = map[string]int64{"QUInt4x2Storage": 2, "QUInt2x4Storage": 4}

// storageDType recognises a storage class by its name only, as torch does
// (torch/serialization.py, UnpicklerWrapper.find_class).
func storageDType(class global) (checkpoint.DType, bool) {
	d, ok := storageDTypes[class.name]
	return d, ok && (class.module == "torch" || strings.HasPrefix(class.module, "torch."))
}

// tensorDType is the dtype of the old tensor classes (torch.FloatTensor,
// torch.cuda.HalfTensor), which carry it in their name.
func tensorDType(class global) (checkpoint.DType, bool) {
	stem, ok := strings.CutSuffix(class.name, "Tensor")
	if !ok {
		return checkpoint.Invalid, false
	}
	return storageDType(global{class.module, stem + "Storage"})
}

// dtypeAliases is what safetensors has no name for, but whose bytes are those of
// a plain integer (torch/csrc: bits8, quint8, …).
var dtypeAliases = map[string]checkpoint.DType{
	"bits8": checkpoint.U8, "bits1x8": checkpoint.U8, "bits2x4": checkpoint.U8, "bits4x2": checkpoint.U8,
	"bits16": checkpoint.U16, "qint8": checkpoint.I8, "quint8": checkpoint.U8, "qint32": checkpoint.I32,
	"quint4x2": checkpoint.U8, "quint2x4": checkpoint.U8,
	"uint1": checkpoint.U8, "uint2": checkpoint.U8, "uint3": checkpoint.U8, "uint4": checkpoint.U8,
	"uint5": checkpoint.U8, "uint6": checkpoint.U8, "uint7": checkpoint.U8,
	"int1": checkpoint.I8, "int2": checkpoint.I8, "int3": checkpoint.I8, "int4": checkpoint.I8,
	"int5": checkpoint.I8, "int6": checkpoint.I8, "int7": checkpoint.I8,
	"float": checkpoint.F32, "double": checkpoint.F64, "half": checkpoint.F16, "long": checkpoint.I64,
	"int": checkpoint.I32, "short": checkpoint.I16, "cfloat": checkpoint.C64, "cdouble": checkpoint.C128,
	"chalf": checkpoint.C32,
}

// dtypeNames maps the name below torch to the dtype.
var dtypeNames = func() map[string]checkpoint.DType {
	names := make(map[string]checkpoint.DType)
	for d := checkpoint.BOOL; d <= checkpoint.BC32; d++ {
		if d.Torch() != "" {
			names[d.Torch()] = d
		}
	}
	for name, d := range dtypeAliases {
		names[name] = d
	}
	return names
}()

// torchDType resolves the global torch.<dtype>.
func torchDType(g global) (checkpoint.DType, bool) {
	if g.module != "torch" {
		return checkpoint.Invalid, false
	}
	d, ok := dtypeNames[g.name]
	return d, ok
}

// elemSize is the bytes of one torch element. A torch element of F4 is a byte
// that holds two numbers.
func elemSize(d checkpoint.DType) int64 {
	return int64(max(8, d.Bits())) / 8
}

// component is the bytes of what is swapped, negated or conjugated: half an
// element of a complex dtype.
func component(d checkpoint.DType) int64 {
	if isComplex(d) {
		return elemSize(d) / 2
	}
	return elemSize(d)
}

func isComplex(d checkpoint.DType) bool {
	switch d {
	case checkpoint.C32, checkpoint.BC32, checkpoint.C64, checkpoint.C128:
		return true
	}
	return false
}

func isInteger(d checkpoint.DType) bool {
	switch d {
	case checkpoint.U8, checkpoint.I8, checkpoint.I16, checkpoint.U16, checkpoint.I32, checkpoint.U32, checkpoint.I64, checkpoint.U64:
		return true
	}
	return false
}
