package gguf

import "wfs/formats/checkpoint"

// dtypes are ggml's types by number (ggml/include/ggml.h, enum ggml_type).
var dtypes = map[uint32]checkpoint.DType{
	0: checkpoint.F32, 1: checkpoint.F16, 28: checkpoint.F64, 30: checkpoint.BF16,
	24: checkpoint.I8, 25: checkpoint.I16, 26: checkpoint.I32, 27: checkpoint.I64,
	2: checkpoint.Q40, 3: checkpoint.Q41, 6: checkpoint.Q50, 7: checkpoint.Q51, 8: checkpoint.Q80,
	10: checkpoint.Q2K, 11: checkpoint.Q3K, 12: checkpoint.Q4K, 13: checkpoint.Q5K, 14: checkpoint.Q6K,
	16: checkpoint.IQ2XXS, 17: checkpoint.IQ2XS, 18: checkpoint.IQ3XXS, 19: checkpoint.IQ1S, 20: checkpoint.IQ4NL,
	21: checkpoint.IQ3S, 22: checkpoint.IQ2S, 23: checkpoint.IQ4XS, 29: checkpoint.IQ1M,
	34: checkpoint.TQ10, 35: checkpoint.TQ20, 39: checkpoint.MXFP4, 40: checkpoint.NVFP4, 41: checkpoint.Q10, typeQ20: checkpoint.Q20,
}

// typeQ20 is Q2_0 of ggml, and of a fork of it a type with the same codes in blocks of 128.
const typeQ20 = 42

// unread are types that have a name, and that no tensor of wfs has: what llama.cpp removed,
// and what it holds in memory alone.
var unread = map[uint32]string{
	4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 15: "Q8_K", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8", typeQ20: "Q2_0 of a fork",
}

// swapped reports whether a big-endian file has the numbers of a type the other way round.
// Those of BF16 and of blocks it may have either way: gguf's writer leaves them as they are,
// and its gguf_convert_endian.py turns some of them.
func swapped(d checkpoint.DType) bool {
	elements, bytes := d.Block()
	return elements == 1 && (bytes == 1 || d != checkpoint.BF16)
}
