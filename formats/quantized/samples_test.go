package quantized

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// sample is a weight of one format, of random bytes.
type sample struct {
	name    string
	config  string
	entries []checkpoint.Entry
}

// entry is a tensor of given bytes.
func entry(key string, d checkpoint.DType, b []byte, shape ...int64) checkpoint.Entry {
	return checkpoint.Entry{Key: key, Tensor: &checkpoint.Tensor{Key: key, DType: d, Shape: shape, Data: segment.Literal(b)}}
}

// random is a tensor of random bytes.
func random(rng *rand.Rand, key string, d checkpoint.DType, shape ...int64) checkpoint.Entry {
	size, err := checkpoint.ByteSize(d, shape)
	if err != nil {
		panic(err)
	}
	b := make([]byte, size+8)
	for i := 0; i < len(b)-7; i += 8 {
		le.PutUint64(b[i:], rng.Uint64())
	}
	return entry(key, d, b[:size], shape...)
}

// numbers are the bytes of integers.
func numbers[T int32 | int64 | float32](values ...T) []byte {
	b, err := binary.Append(nil, le, values)
	if err != nil {
		panic(err)
	}
	return b
}

const (
	f8, f16, f32 = checkpoint.F8E4M3, checkpoint.F16, checkpoint.F32
	i8, i32, i64 = checkpoint.I8, checkpoint.I32, checkpoint.I64
	u8, bf16     = checkpoint.U8, checkpoint.BF16
)

// samples has a weight of each format, and the larger the larger n is.
func samples(n int64) []sample {
	rng := rand.New(rand.NewPCG(3, 4))
	of := func(key string, d checkpoint.DType, shape ...int64) checkpoint.Entry {
		return random(rng, key, d, shape...)
	}
	order := make([]int32, 64*n)
	for i := range order {
		order[i] = rng.Int32N(int32(2 * n))
	}
	runs := make([]int32, 64*n)
	for i := range runs {
		runs[i] = int32(2*n) - 1 - int32(i)/32
	}
	state := func(kind string, shape ...int64) checkpoint.Entry {
		text := fmt.Sprintf(`{"quant_type":%q,"blocksize":64,"dtype":"bfloat16","shape":%s,"nested_blocksize":256,"nested_offset":0.5}`, kind, checkpoint.ShapeText(shape))
		return entry("m.weight.quant_state.bitsandbytes__"+kind, u8, []byte(text), int64(len(text)))
	}
	gptq := `{"quantization_config": {"quant_method": "gptq", "bits": %d, "group_size": 32, "checkpoint_format": "gptq"}}`
	compressed := `{"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"targets": ["Linear"], "weights": %s}}}}`
	return []sample{
		{"GPTQ, 4 bit", fmt.Sprintf(gptq, 4), []checkpoint.Entry{of("m.qweight", i32, 12*n, 40), of("m.qzeros", i32, 3*n, 5), of("m.scales", f16, 3*n, 40), of("m.bias", f16, 40)}},
		{"GPTQ, 3 bit, ordered", fmt.Sprintf(gptq, 3), []checkpoint.Entry{of("m.qweight", i32, 6*n, 32), of("m.qzeros", i32, 2*n, 3), of("m.scales", bf16, 2*n, 32), entry("m.g_idx", i32, numbers(order...), 64*n)}},
		{"GPTQ, 8 bit, ordered by runs", fmt.Sprintf(gptq, 8), []checkpoint.Entry{of("m.qweight", i32, 16*n, 8), of("m.qzeros", i32, 2*n, 2), of("m.scales", f16, 2*n, 8), entry("m.g_idx", i32, numbers(runs...), 64*n)}},
		{"AWQ", `{"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}}`,
			[]checkpoint.Entry{of("m.qweight", i32, 64, 3*n), of("m.qzeros", i32, 2, 3*n), of("m.scales", f16, 2, 24*n)}},
		{"fp8, ragged blocks", "", []checkpoint.Entry{of("m.weight", f8, 200, 150*n), of("m.weight_scale_inv", f32, 2, ceil(150*n, 128))}},
		{"fp8, ragged experts", "", []checkpoint.Entry{of("m.experts", f8, 3, 130, 7*n), of("m.experts_scale_inv", u8, 3, 2, ceil(7*n, 128))}},
		{"fp8, rows", "", []checkpoint.Entry{of("m.weight", f8, 30*n, 17), of("m.weight_scale", f32, 30*n, 1), of("m.input_scale", f32)}},
		{"compressed, 5 bit", fmt.Sprintf(compressed, `{"num_bits": 5, "type": "int", "symmetric": false, "strategy": "group", "group_size": 32}`),
			[]checkpoint.Entry{of("m.weight_packed", i32, 9*n, 10), of("m.weight_scale", f16, 9*n, 2), of("m.weight_zero_point", i32, ceil(45*n, 32), 2), entry("m.weight_shape", i64, numbers(9*n, int64(64)), 2)}},
		{"compressed, 4 bit, channels", fmt.Sprintf(compressed, `{"num_bits": 4, "type": "int", "strategy": "channel"}`),
			[]checkpoint.Entry{of("m.weight_packed", i32, 9, 2*n), of("m.weight_scale", f32, 9, 1), entry("m.weight_shape", i64, numbers(9, 16*n-3), 2)}},
		{"compressed, int8", fmt.Sprintf(compressed, `{"num_bits": 8, "type": "int", "symmetric": false, "strategy": "channel"}`),
			[]checkpoint.Entry{of("m.weight", i8, 9*n, 21), of("m.weight_scale", bf16, 9*n, 1), of("m.weight_zero_point", i8, 9*n, 1)}},
		{"compressed, NVFP4", fmt.Sprintf(compressed, `{"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}`),
			[]checkpoint.Entry{of("m.weight_packed", u8, 9*n, 24), of("m.weight_scale", f8, 9*n, 3), entry("m.weight_global_scale", f32, numbers[float32](700), 1)}},
		{"nf4, nested", "", []checkpoint.Entry{of("m.weight", u8, ceil(33*21*n, 2), 1), of("m.weight.absmax", u8, ceil(33*21*n, 64)), of("m.weight.quant_map", f32, 16),
			of("m.weight.nested_absmax", f32, ceil(ceil(33*21*n, 64), 256)), of("m.weight.nested_quant_map", f32, 256), state("nf4", 33*n, 21)}},
		{"fp4", "", []checkpoint.Entry{of("m.weight", u8, ceil(33*21*n, 2), 1), of("m.weight.absmax", f32, ceil(33*21*n, 64)), of("m.weight.quant_map", f32, 16), state("fp4", 33, 21*n)}},
		{"LLM.int8", "", []checkpoint.Entry{of("m.weight", i8, 9, 13*n), of("m.SCB", f32, 9), of("m.weight_format", u8)}},
		{"MXFP4", "", []checkpoint.Entry{of("m.up_proj_blocks", u8, 2, 5*n, 3, 16), of("m.up_proj_scales", u8, 2, 5*n, 3), of("m.up_proj_bias", bf16, 2, 5*n)}},
		{"ModelOpt, NVFP4", `{"quantization_config": {"quant_method": "modelopt"}}`, []checkpoint.Entry{of("m.weight", u8, 7*n, 24), of("m.weight_scale", f8, 7*n, 3), entry("m.weight_scale_2", f32, numbers[float32](1e-3))}},
		{"torchao", `{"quantization_config": {"quant_method": "torchao", "quant_type": {"default": {"_type": "Int8WeightOnlyConfig"}}}}`,
			[]checkpoint.Entry{of("m._weight_qdata", i8, 9*n, 64), of("m._weight_scale", f32, 9*n, 2), of("m._weight_zero_point", i8, 9*n, 2)}},
	}
}

// find is the one plain weight of a sample.
func (s *sample) find(to checkpoint.DType) (Group, error) {
	var config []byte
	if s.config != "" {
		config = []byte(s.config)
	}
	groups, err := Find(s.entries, config, to)
	if err == nil && len(groups) != 1 {
		err = fmt.Errorf("%d groups", len(groups))
	}
	if err != nil {
		return Group{}, err
	}
	return groups[0], nil
}

func (s *sample) must(t testing.TB, to checkpoint.DType) Group {
	t.Helper()
	g, err := s.find(to)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return g
}

// read is all bytes of a plain weight.
func read(t testing.TB, g Group) []byte {
	t.Helper()
	b := make([]byte, g.Data.Size())
	if err := segment.ReadFull(g.Data, b, 0); err != nil {
		t.Fatalf("%s: %v", g.Key, err)
	}
	return b
}
