#include "textflag.h"
#include "bf16_amd64.h"

// The casts. Each loop stores one to four registers of its output. Operands stand in Go's
// order: the destination last.

#define ARGUMENTS \
	MOVQ dst+0(FP), DI; \
	MOVQ src+8(FP), SI; \
	MOVQ n+16(FP), CX

// func fromF64AVX2(dst, src *byte, n int)
TEXT ·fromF64AVX2(SB), NOSPLIT, $0-24
	ARGUMENTS
loop:
	VCVTPD2PSY (SI), X0
	VCVTPD2PSY 32(SI), X1
	VMOVUPS X0, (DI)
	VMOVUPS X1, 16(DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  loop
	VZEROUPPER
	RET

// func fromF16AVX2(dst, src *byte, n int)
TEXT ·fromF16AVX2(SB), NOSPLIT, $0-24
	ARGUMENTS
loop:
	VCVTPH2PS (SI), Y0
	VCVTPH2PS 16(SI), Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func fromBF16AVX2(dst, src *byte, n int)
TEXT ·fromBF16AVX2(SB), NOSPLIT, $0-24
	ARGUMENTS
loop:
	VPMOVZXWD (SI), Y0
	VPMOVZXWD 16(SI), Y1
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y1, Y1
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func toF16AVX2(dst, src *byte, n int)
TEXT ·toF16AVX2(SB), NOSPLIT, $0-24
	ARGUMENTS
loop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VCVTPS2PH $0, Y0, (DI) // to nearest, whatever MXCSR says
	VCVTPS2PH $0, Y1, 16(DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func toBF16AVX2(dst, src *byte, n int)
TEXT ·toBF16AVX2(SB), NOSPLIT, $0-24
	ARGUMENTS
	ROUNDING
loop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y4
	ROUND
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// func fromE5M2AVX2(dst, src *byte, n int)
//
// An e5m2 is the upper byte of a float16.
TEXT ·fromE5M2AVX2(SB), NOSPLIT, $0-24
	ARGUMENTS
loop:
	VPMOVZXBW (SI), Y0
	VPSLLW $8, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VCVTPH2PS X0, Y0
	VCVTPH2PS X1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $16, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

DATA e4m3<>+0(SB)/4, $0x80008000
DATA e4m3<>+4(SB)/4, $0x3f803f80  // the number that is a NaN, moved
DATA e4m3<>+8(SB)/4, $0x40004000  // with what makes it one of float16
DATA e4m3<>+12(SB)/4, $0x43800000 // 256
GLOBL e4m3<>(SB), RODATA|NOPTR, $16

// func fromE4M3AVX2(dst, src *byte, n int)
//
// An e4m3fn, moved down by one place from below its sign, is a float16 256 times smaller,
// because the bias of its exponent is 7 and not 15.
TEXT ·fromE4M3AVX2(SB), NOSPLIT, $0-24
	ARGUMENTS
	VPBROADCASTD e4m3<>+0(SB), Y15
	VPBROADCASTD e4m3<>+4(SB), Y14
	VPBROADCASTD e4m3<>+8(SB), Y13
	VBROADCASTSS e4m3<>+12(SB), Y12
loop:
	VPMOVZXBW (SI), Y0
	VPSLLW $7, Y0, Y1
	VPSLLW $8, Y0, Y0
	VPAND  Y14, Y1, Y1 // less the sign
	VPAND  Y15, Y0, Y0 // the sign
	VPCMPEQW Y14, Y1, Y2
	VPAND  Y13, Y2, Y2
	VPOR   Y1, Y0, Y0
	VPOR   Y2, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VCVTPH2PS X0, Y0
	VCVTPH2PS X1, Y1
	VMULPS Y12, Y0, Y0
	VMULPS Y12, Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $16, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	VZEROUPPER
	RET

// Rounding to eight bits. To a number of the exponent e is added 2**(e+20), or 21 for e5m2:
// so large a number that the sum has no bits below the last one that is to stay. The
// processor rounds the sum to even, and its lowest bits are the mantissa with its leading
// one. All subnormal numbers are added to what the smallest normal one is. Then that
// mantissa plus 8, or 4, times the number of exponents above the smallest is the pattern,
// also where rounding made it one bit longer, and also of a subnormal, which has no leading
// one. A number is first cut to the largest there is, for e5m2 that is infinity; a NaN is cut
// too, and its last bits are set at the end.

DATA f8<>+0(SB)/4, $0x7fffffff
DATA f8<>+4(SB)/4, $0x7f800000
DATA f8<>+8(SB)/4, $0x80808080
// Of e4m3fn: the largest number, 448; the smallest normal one, 2**-6; 20 in the exponent; its smallest exponent;
// the difference of its largest number and NaN.
DATA f8<>+12(SB)/4, $0x43e00000
DATA f8<>+16(SB)/4, $0x3c800000
DATA f8<>+20(SB)/4, $0x0a000000
DATA f8<>+24(SB)/4, $0x03c803c8
DATA f8<>+28(SB)/4, $0x01010101
// Of e5m2: 65536; 2**-14; 21.
DATA f8<>+32(SB)/4, $0x47800000
DATA f8<>+36(SB)/4, $0x38800000
DATA f8<>+40(SB)/4, $0x0a800000
DATA f8<>+44(SB)/4, $0x01c401c4
DATA f8<>+48(SB)/4, $0x03030303
// The order of dwords after two packings within lanes.
DATA f8<>+52(SB)/4, $0
DATA f8<>+56(SB)/4, $4
DATA f8<>+60(SB)/4, $1
DATA f8<>+64(SB)/4, $5
DATA f8<>+68(SB)/4, $2
DATA f8<>+72(SB)/4, $6
DATA f8<>+76(SB)/4, $3
DATA f8<>+80(SB)/4, $7
GLOBL f8<>(SB), RODATA|NOPTR, $84

// EIGHT makes the patterns of eight float32, plus the smallest exponent, in y.
#define EIGHT(from, drop, y, t, u, nan) \
	VMOVUPS from, t; \
	VCMPPS $3, t, t, nan; \
	VANDPS Y15, t, y; \
	VMINPS Y13, y, y; \
	VANDPS Y14, y, t; \
	VPMAXSD Y12, t, t; \
	VPADDD Y11, t, u; \
	VPSRLD drop, t, t; \
	VADDPS u, y, y; \
	VPSUBD u, y, y; \
	VPADDD t, y, y

// F8 converts 32 float32 a turn.
#define F8(at, drop) \
	ARGUMENTS; \
	VPBROADCASTD f8<>+0(SB), Y15; \
	VPBROADCASTD f8<>+4(SB), Y14; \
	VPBROADCASTD f8<>+at(SB), Y13; \
	VPBROADCASTD f8<>+(at+4)(SB), Y12; \
	VPBROADCASTD f8<>+(at+8)(SB), Y11; \
	VPBROADCASTD f8<>+(at+12)(SB), Y10; \
	VPBROADCASTD f8<>+(at+16)(SB), Y9; \
	VPBROADCASTD f8<>+8(SB), Y8; \
loop: \
	EIGHT((SI), drop, Y0, Y2, Y3, Y4); \
	EIGHT(32(SI), drop, Y1, Y2, Y3, Y5); \
	VPACKSSDW Y5, Y4, Y4; \
	VPACKSSDW Y1, Y0, Y0; \
	VPSUBW Y10, Y0, Y0; \
	EIGHT(64(SI), drop, Y1, Y2, Y3, Y5); \
	EIGHT(96(SI), drop, Y6, Y2, Y3, Y7); \
	VPACKSSDW Y7, Y5, Y5; \
	VPACKSSDW Y6, Y1, Y1; \
	VPSUBW Y10, Y1, Y1; \
	VPACKSSWB Y5, Y4, Y4; \
	VPACKUSWB Y1, Y0, Y0; \
	VMOVDQU (SI), Y1; \
	VMOVDQU 64(SI), Y2; \
	VPACKSSDW 32(SI), Y1, Y1; \
	VPACKSSDW 96(SI), Y2, Y2; \
	VPACKSSWB Y2, Y1, Y1; \
	VPAND Y9, Y4, Y4; \
	VPAND Y8, Y1, Y1; \
	VPOR Y4, Y0, Y0; \
	VPOR Y1, Y0, Y0; \
	VMOVDQU f8<>+52(SB), Y7; \
	VPERMD Y0, Y7, Y0; \
	VMOVDQU Y0, (DI); \
	ADDQ $128, SI; \
	ADDQ $32, DI; \
	SUBQ $32, CX; \
	JNZ  loop; \
	VZEROUPPER; \
	RET

// func toE4M3AVX2(dst, src *byte, n int)
TEXT ·toE4M3AVX2(SB), NOSPLIT, $0-24
	F8(12, $20)

// func toE5M2AVX2(dst, src *byte, n int)
TEXT ·toE5M2AVX2(SB), NOSPLIT, $0-24
	F8(32, $21)
