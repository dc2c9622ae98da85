// Rounding to bfloat16, for all assembly that does it.

DATA bf16<>+0(SB)/4, $1
DATA bf16<>+4(SB)/4, $0x7fff // half of the last bit of a bfloat16, less one
DATA bf16<>+8(SB)/4, $0x0040 // makes its NaN quiet
GLOBL bf16<>(SB), RODATA|NOPTR, $12

// ROUNDING loads what ROUND needs.
#define ROUNDING \
	VPBROADCASTD bf16<>+0(SB), Y15; \
	VPBROADCASTD bf16<>+4(SB), Y14; \
	VPBROADCASTD bf16<>+8(SB), Y13

// LOWER rounds eight float32 to the lower halves of x. VCMPPS finds the NaNs.
#define LOWER(x, odd, nan, quiet) \
	VPSRLD  $16, x, quiet; \
	VCMPPS  $3, x, x, nan; \
	VPAND   Y15, quiet, odd; \
	VPADDD  Y14, x, x; \
	VPOR    Y13, quiet, quiet; \
	VPADDD  odd, x, x; \
	VPSRLD  $16, x, x; \
	VBLENDVPS nan, quiet, x, x

// ROUND rounds the sixteen float32 of Y0 and Y4 to Y0. VPACKUSDW packs each lane by itself.
#define ROUND \
	LOWER(Y0, Y1, Y2, Y3); \
	LOWER(Y4, Y5, Y6, Y7); \
	VPACKUSDW Y4, Y0, Y0; \
	VPERMQ $0xd8, Y0, Y0
