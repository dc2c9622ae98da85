#include "textflag.h"
#include "bf16_amd64.h"

// Each loop adds sixteen products. Product and sum are two instructions, because torch
// rounds both.

#define ARGUMENTS \
	MOVQ dst+0(FP), DI; \
	MOVQ x+8(FP), SI; \
	MOVQ n+16(FP), CX; \
	VBROADCASTSS s+24(FP), Y12

// SUM adds the products of sixteen floats to Y0 and Y4.
#define SUM \
	VMULPS (SI), Y12, Y8; \
	VMULPS 32(SI), Y12, Y9; \
	VADDPS Y8, Y0, Y0; \
	VADDPS Y9, Y4, Y4

// func addF32AVX2(dst *byte, x *float32, n int, s float32)
TEXT ·addF32AVX2(SB), NOSPLIT, $0-28
	ARGUMENTS
loop:
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y4
	SUM
	VMOVUPS Y0, (DI)
	VMOVUPS Y4, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func addF16AVX2(dst *byte, x *float32, n int, s float32)
TEXT ·addF16AVX2(SB), NOSPLIT, $0-28
	ARGUMENTS
loop:
	VCVTPH2PS (DI), Y0
	VCVTPH2PS 16(DI), Y4
	SUM
	VCVTPS2PH $0, Y0, (DI) // to nearest, whatever MXCSR says
	VCVTPS2PH $0, Y4, 16(DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func addBF16AVX2(dst *byte, x *float32, n int, s float32)
TEXT ·addBF16AVX2(SB), NOSPLIT, $0-28
	ARGUMENTS
	ROUNDING
loop:
	VPMOVZXWD (DI), Y0
	VPMOVZXWD 16(DI), Y4
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y4, Y4
	SUM
	ROUND
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET
