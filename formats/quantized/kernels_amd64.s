#include "textflag.h"

// func scaled16AVX2(dst *float32, codes *byte, values *float32, scale, zero float32, n int)
//
// A table of 16 float32 is two registers; bit 3 of a code chooses one. n is a multiple of 8.
TEXT ·scaled16AVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ codes+8(FP), SI
	MOVQ values+16(FP), DX
	VBROADCASTSS scale+24(FP), Y14
	VBROADCASTSS zero+28(FP), Y15
	MOVQ n+32(FP), CX
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
loop:
	VPMOVZXBD (SI), Y2
	VPERMPS Y0, Y2, Y3
	VPERMPS Y1, Y2, Y4
	VPSLLD $28, Y2, Y2
	VBLENDVPS Y2, Y4, Y3, Y3
	VSUBPS Y15, Y3, Y3
	VMULPS Y14, Y3, Y3
	VMOVUPS Y3, (DI)
	ADDQ $8, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

DATA nibbles<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibbles<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $16

// UNPACK splits bytes: X1 has their lower halves and X2 the upper ones, of which first comes first.
#define UNPACK(first, second) \
	MOVQ dst+0(FP), DI; \
	MOVQ src+8(FP), SI; \
	MOVQ n+16(FP), CX; \
	VMOVDQU nibbles<>(SB), X15; \
unpack: \
	VMOVDQU (SI), X0; \
	VPAND  X15, X0, X1; \
	VPSRLW $4, X0, X2; \
	VPAND  X15, X2, X2; \
	VPUNPCKLBW second, first, X3; \
	VPUNPCKHBW second, first, X4; \
	VMOVDQU X3, (DI); \
	VMOVDQU X4, 16(DI); \
	ADDQ $16, SI; \
	ADDQ $32, DI; \
	SUBQ $16, CX; \
	JNZ  unpack; \
	RET

// func unpack4AVX2(dst, src *byte, n int)
//
// n is the bytes of src, a multiple of 16; the lower half of each comes first.
TEXT ·unpack4AVX2(SB), NOSPLIT, $0-24
	UNPACK(X1, X2)

// func unpack4HighAVX2(dst, src *byte, n int)
//
// It is unpack4AVX2 with the upper half of each byte first.
TEXT ·unpack4HighAVX2(SB), NOSPLIT, $0-24
	UNPACK(X2, X1)

DATA order<>+0(SB)/4, $0
DATA order<>+4(SB)/4, $4
DATA order<>+8(SB)/4, $1
DATA order<>+12(SB)/4, $5
DATA order<>+16(SB)/4, $2
DATA order<>+20(SB)/4, $6
DATA order<>+24(SB)/4, $3
DATA order<>+28(SB)/4, $7
DATA order<>+32(SB)/4, $15
GLOBL order<>(SB), RODATA|NOPTR, $36

// func halvesAVX2(dst, src *byte, n, shift int)
//
// It takes four bits from each of n words of 32, a multiple of 32.
TEXT ·halvesAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	VMOVQ shift+24(FP), X14
	VPBROADCASTD order<>+32(SB), Y15
	VMOVDQU order<>+0(SB), Y13 // of dwords, after two packings within lanes
words:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VPSRLD X14, Y0, Y0
	VPSRLD X14, Y1, Y1
	VPSRLD X14, Y2, Y2
	VPSRLD X14, Y3, Y3
	VPAND Y15, Y0, Y0
	VPAND Y15, Y1, Y1
	VPAND Y15, Y2, Y2
	VPAND Y15, Y3, Y3
	VPACKUSDW Y1, Y0, Y0
	VPACKUSDW Y3, Y2, Y2
	VPACKUSWB Y2, Y0, Y0
	VPERMD Y0, Y13, Y0
	VMOVDQU Y0, (DI)
	ADDQ $128, SI
	ADDQ $32, DI
	SUBQ $32, CX
	JNZ  words
	VZEROUPPER
	RET
