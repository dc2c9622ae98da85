package quantized

import (
	"math/rand/v2"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// BenchmarkRead reads a weight of 4096 × 4096 as bfloat16, by requests of 1 MiB.
func BenchmarkRead(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	of := func(key string, d checkpoint.DType, shape ...int64) checkpoint.Entry {
		return random(rng, key, d, shape...)
	}
	const n = 4096
	order := make([]int32, n)
	for i, k := range rng.Perm(n) {
		order[i] = int32(k / 128)
	}
	gptq := []checkpoint.Entry{of("m.qweight", i32, n/8, n), of("m.qzeros", i32, n/128, n/8), of("m.scales", f16, n/128, n)}
	state := []byte(`{"quant_type":"nf4","blocksize":64,"dtype":"bfloat16","shape":[4096,4096]}`)
	for _, s := range []sample{
		{"gptq", `{"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}`, gptq},
		{"gptq-order", `{"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}`, append(gptq[:3:3], entry("m.g_idx", i32, numbers(order...), n))},
		{"awq", `{"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}`, []checkpoint.Entry{of("m.qweight", i32, n, n/8), of("m.qzeros", i32, n/128, n/8), of("m.scales", f16, n/128, n)}},
		{"fp8", "", []checkpoint.Entry{of("m.weight", f8, n, n), of("m.weight_scale_inv", f32, n/128, n/128)}},
		{"nf4", "", []checkpoint.Entry{of("m.weight", u8, n*n/2, 1), of("m.weight.absmax", f32, n*n/64), of("m.weight.quant_map", f32, 16), entry("m.weight.quant_state.bitsandbytes__nf4", u8, state, int64(len(state)))}},
		{"int8", "", []checkpoint.Entry{of("m.weight", i8, n, n), of("m.SCB", f32, n)}},
		{"mxfp4", "", []checkpoint.Entry{of("m_blocks", u8, 1, n, n/32, 16), of("m_scales", u8, 1, n, n/32)}},
		{"nvfp4", `{"quantization_config": {"quant_method": "modelopt"}}`, []checkpoint.Entry{of("m.weight", u8, n, n/2), of("m.weight_scale", f8, n, n/16), of("m.weight_scale_2", f32)}},
	} {
		b.Run(s.name, func(b *testing.B) {
			g := s.must(b, bf16)
			p := make([]byte, 1<<20)
			b.SetBytes(g.Data.Size())
			for b.Loop() {
				for off := int64(0); off < g.Data.Size(); off += int64(len(p)) {
					if err := segment.ReadFull(g.Data, p, off); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
