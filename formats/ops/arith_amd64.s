#include "textflag.h"

// Arithmetic on float32: what is in acc with what is in x, and in y, 16 elements a turn, by
// p and q. Operands stand in Go's order: the destination last.

#define ARGUMENTS \
	MOVQ acc+0(FP), DI; \
	MOVQ x+8(FP), SI; \
	MOVQ y+16(FP), DX; \
	MOVQ n+24(FP), CX; \
	VBROADCASTSS p+32(FP), Y15; \
	VBROADCASTSS q+36(FP), Y14; \
	XORQ AX, AX

#define NEXT \
	VMOVUPS Y0, (DI)(AX*4); \
	VMOVUPS Y1, 32(DI)(AX*4); \
	ADDQ $16, AX; \
	CMPQ AX, CX; \
	JLT loop; \
	VZEROUPPER; \
	RET

#define ACC \
	VMOVUPS (DI)(AX*4), Y0; \
	VMOVUPS 32(DI)(AX*4), Y1

#define X \
	VMOVUPS (SI)(AX*4), Y2; \
	VMOVUPS 32(SI)(AX*4), Y3

// func addAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·addAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
loop:
	ACC
	VFMADD231PS (SI)(AX*4), Y15, Y0
	VFMADD231PS 32(SI)(AX*4), Y15, Y1
	NEXT

// func nearAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·nearAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
loop:
	ACC
	X
	VSUBPS Y0, Y2, Y2
	VSUBPS Y1, Y3, Y3
	VFMADD231PS Y2, Y15, Y0
	VFMADD231PS Y3, Y15, Y1
	NEXT

// func farAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·farAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
loop:
	ACC
	X
	VSUBPS Y0, Y2, Y0
	VSUBPS Y1, Y3, Y1
	VFMADD213PS Y2, Y15, Y0
	VFMADD213PS Y3, Y15, Y1
	NEXT

// func meanAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·meanAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
loop:
	ACC
	X
	VSUBPS Y0, Y2, Y2
	VSUBPS Y1, Y3, Y3
	VDIVPS Y15, Y2, Y2
	VDIVPS Y15, Y3, Y3
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	NEXT

// func differenceAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·differenceAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
loop:
	ACC
	X
	VSUBPS (DX)(AX*4), Y2, Y2
	VSUBPS 32(DX)(AX*4), Y3, Y3
	VMULPS Y15, Y2, Y2
	VMULPS Y15, Y3, Y3
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	NEXT

// func blendAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·blendAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
loop:
	ACC
	X
	VMULPS Y15, Y0, Y0
	VMULPS Y15, Y1, Y1
	VMULPS Y14, Y2, Y2
	VMULPS Y14, Y3, Y3
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	NEXT

// func scaleAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
loop:
	ACC
	VMULPS Y15, Y0, Y0
	VMULPS Y15, Y1, Y1
	NEXT

DATA swap<>+0(SB)/4, $0x7fffffff
DATA swap<>+4(SB)/4, $0x358637bd // 1e-6
DATA swap<>+8(SB)/4, $0x3f800000 // 1
GLOBL swap<>(SB), RODATA|NOPTR, $12

// SWAP is one register of acc, a, and one of x, b. Of VMAXPS and VMINPS the first operand is
// what comes of a NaN in either.
#define SWAP(a, b, w) \
	VSUBPS b, a, w; \
	VANDPS Y13, w, w; \
	VMAXPS w, Y12, w; \
	VDIVPS w, Y11, w; \
	VMULPS Y15, w, w; \
	VMAXPS w, Y10, w; \
	VMINPS w, Y11, w; \
	VMULPS w, b, b; \
	VSUBPS w, Y11, w; \
	VMULPS w, a, a; \
	VADDPS a, b, a

// func nearswapAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·nearswapAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
	VBROADCASTSS swap<>+0(SB), Y13
	VBROADCASTSS swap<>+4(SB), Y12
	VBROADCASTSS swap<>+8(SB), Y11
	VXORPS Y10, Y10, Y10
loop:
	ACC
	X
	SWAP(Y0, Y2, Y4)
	SWAP(Y1, Y3, Y5)
	NEXT

// func beyondAVX2(acc, x, y *byte, n int, p, q float32)
TEXT ·beyondAVX2(SB), NOSPLIT, $0-40
	ARGUMENTS
	VBROADCASTSS swap<>+0(SB), Y13
loop:
	ACC
	VANDPS Y13, Y0, Y2
	VANDPS Y13, Y1, Y3
	VCMPPS $0x0e, Y15, Y2, Y2 // greater than, and not of NaNs
	VCMPPS $0x0e, Y15, Y3, Y3
	VANDPS Y13, Y2, Y2
	VANDPS Y13, Y3, Y3
	VORPS Y2, Y0, Y0
	VORPS Y3, Y1, Y1
	NEXT

// func sumsAVX2(sums *float64, x, y *byte, n int)
//
// n is a multiple of 8 and more than 0.
TEXT ·sumsAVX2(SB), NOSPLIT, $0-32
	MOVQ sums+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	MOVQ n+24(FP), CX
	XORQ AX, AX
	VMOVUPD (DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3
	VMOVUPD 128(DI), Y4
	VMOVUPD 160(DI), Y5
loop:
	VCVTPS2PD (SI)(AX*4), Y6
	VCVTPS2PD 16(SI)(AX*4), Y7
	VCVTPS2PD (DX)(AX*4), Y8
	VCVTPS2PD 16(DX)(AX*4), Y9
	VFMADD231PD Y6, Y6, Y0
	VFMADD231PD Y7, Y7, Y1
	VFMADD231PD Y8, Y8, Y2
	VFMADD231PD Y9, Y9, Y3
	VFMADD231PD Y6, Y8, Y4
	VFMADD231PD Y7, Y9, Y5
	ADDQ $8, AX
	CMPQ AX, CX
	JLT  loop
	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	VMOVUPD Y2, 64(DI)
	VMOVUPD Y3, 96(DI)
	VMOVUPD Y4, 128(DI)
	VMOVUPD Y5, 160(DI)
	VZEROUPPER
	RET
