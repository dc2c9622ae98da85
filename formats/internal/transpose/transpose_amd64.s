#include "textflag.h"

// A tile of eight columns: its rows are read two halves of a register at a time, so that
// three, or two, rounds of unpacking within lanes give whole columns.

#define ARGUMENTS \
	MOVQ dst+0(FP), DI; \
	MOVQ src+8(FP), SI; \
	MOVQ dstStride+16(FP), R8; \
	MOVQ srcStride+24(FP), R9; \
	MOVQ groups+32(FP), CX; \
	LEAQ (R8)(R8*2), R10; \
	LEAQ (R9)(R9*2), R11

// STORE writes columns of 32 bytes.
#define STORE(at, c0, c1, c2, c3) \
	VMOVDQU c0, (at); \
	VMOVDQU c1, (at)(R8*1); \
	VMOVDQU c2, (at)(R8*2); \
	VMOVDQU c3, (at)(R10*1)

// FOUR turns eight rows of four elements of four bytes, at byte off of each.
#define FOUR(off) \
	VMOVDQU off(SI), X0; \
	VMOVDQU off(SI)(R9*1), X1; \
	VMOVDQU off(SI)(R9*2), X2; \
	VMOVDQU off(SI)(R11*1), X3; \
	VINSERTI128 $1, off(R12), Y0, Y0; \
	VINSERTI128 $1, off(R12)(R9*1), Y1, Y1; \
	VINSERTI128 $1, off(R12)(R9*2), Y2, Y2; \
	VINSERTI128 $1, off(R12)(R11*1), Y3, Y3; \
	VPUNPCKLDQ Y1, Y0, Y4; \
	VPUNPCKHDQ Y1, Y0, Y5; \
	VPUNPCKLDQ Y3, Y2, Y6; \
	VPUNPCKHDQ Y3, Y2, Y7; \
	VPUNPCKLQDQ Y6, Y4, Y0; \
	VPUNPCKHQDQ Y6, Y4, Y1; \
	VPUNPCKLQDQ Y7, Y5, Y2; \
	VPUNPCKHQDQ Y7, Y5, Y3

// func tile4(dst, src unsafe.Pointer, dstStride, srcStride, groups int)
TEXT ·tile4(SB), NOSPLIT, $0-40
	ARGUMENTS
	LEAQ (DI)(R8*4), DX
loop:
	LEAQ (SI)(R9*4), R12
	FOUR(0)
	STORE(DI, Y0, Y1, Y2, Y3)
	FOUR(16)
	STORE(DX, Y0, Y1, Y2, Y3)
	LEAQ (SI)(R9*8), SI
	ADDQ $32, DI
	ADDQ $32, DX
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func tile2(dst, src unsafe.Pointer, dstStride, srcStride, groups int)
TEXT ·tile2(SB), NOSPLIT, $0-40
	ARGUMENTS
	LEAQ (DI)(R8*4), DX
loop:
	LEAQ (SI)(R9*8), R12
	VMOVDQU (SI), X0
	VMOVDQU (SI)(R9*1), X1
	VMOVDQU (SI)(R9*2), X2
	VMOVDQU (SI)(R11*1), X3
	VINSERTI128 $1, (R12), Y0, Y0
	VINSERTI128 $1, (R12)(R9*1), Y1, Y1
	VINSERTI128 $1, (R12)(R9*2), Y2, Y2
	VINSERTI128 $1, (R12)(R11*1), Y3, Y3
	LEAQ (SI)(R9*4), SI
	LEAQ (R12)(R9*4), R12
	VMOVDQU (SI), X4
	VMOVDQU (SI)(R9*1), X5
	VMOVDQU (SI)(R9*2), X6
	VMOVDQU (SI)(R11*1), X7
	VINSERTI128 $1, (R12), Y4, Y4
	VINSERTI128 $1, (R12)(R9*1), Y5, Y5
	VINSERTI128 $1, (R12)(R9*2), Y6, Y6
	VINSERTI128 $1, (R12)(R11*1), Y7, Y7
	VPUNPCKLWD Y1, Y0, Y8
	VPUNPCKHWD Y1, Y0, Y9
	VPUNPCKLWD Y3, Y2, Y10
	VPUNPCKHWD Y3, Y2, Y11
	VPUNPCKLWD Y5, Y4, Y12
	VPUNPCKHWD Y5, Y4, Y13
	VPUNPCKLWD Y7, Y6, Y14
	VPUNPCKHWD Y7, Y6, Y15
	VPUNPCKLDQ Y10, Y8, Y0
	VPUNPCKHDQ Y10, Y8, Y1
	VPUNPCKLDQ Y11, Y9, Y2
	VPUNPCKHDQ Y11, Y9, Y3
	VPUNPCKLDQ Y14, Y12, Y4
	VPUNPCKHDQ Y14, Y12, Y5
	VPUNPCKLDQ Y15, Y13, Y6
	VPUNPCKHDQ Y15, Y13, Y7
	VPUNPCKLQDQ Y4, Y0, Y8
	VPUNPCKHQDQ Y4, Y0, Y9
	VPUNPCKLQDQ Y5, Y1, Y10
	VPUNPCKHQDQ Y5, Y1, Y11
	VPUNPCKLQDQ Y6, Y2, Y12
	VPUNPCKHQDQ Y6, Y2, Y13
	VPUNPCKLQDQ Y7, Y3, Y14
	VPUNPCKHQDQ Y7, Y3, Y15
	STORE(DI, Y8, Y9, Y10, Y11)
	STORE(DX, Y12, Y13, Y14, Y15)
	LEAQ (R12)(R9*4), SI
	ADDQ $32, DI
	ADDQ $32, DX
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET
