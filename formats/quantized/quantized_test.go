package quantized

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// TestFind finds every format by its tensors, whatever their order, and leaves what is plain.
func TestFind(t *testing.T) {
	for _, s := range samples(1) {
		for range len(s.entries) {
			g := s.must(t, 0)
			for _, e := range s.entries {
				if used, plain := slices.Contains(g.Inputs, e.Key), strings.HasSuffix(e.Key, "bias"); used == plain {
					t.Errorf("%s: %s is an input: %v", s.name, e.Key, used)
				}
			}
			if size, err := checkpoint.ByteSize(g.DType, g.Shape); err != nil || size != g.Data.Size() || g.DType != bf16 || g.What == "" || strings.Contains(g.Key, "_packed") {
				t.Errorf("%s: %q is %s %v of %d bytes, %q: %v", s.name, g.Key, g.DType, g.Shape, g.Data.Size(), g.What, err)
			}
			s.entries = append(s.entries[1:], s.entries[0])
		}
	}
	groups, err := Find([]checkpoint.Entry{random(rand.New(rand.NewPCG(1, 1)), "a.weight", bf16, 3, 4)}, []byte(`{"quantization_config": {"quant_method": "fp8"}}`), 0)
	if err != nil || len(groups) != 0 {
		t.Errorf("a plain tensor: %v, %v", groups, err)
	}
}

// TestParts reads all formats in pieces, which have the bytes of the whole.
func TestParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int64{1, 150} {
		for _, s := range samples(n) {
			for _, to := range results {
				g := s.must(t, to)
				all := read(t, g)
				for i := range 60 {
					off := rng.Int64N(g.Data.Size())
					most := g.Data.Size() - off
					if i%3 != 0 {
						most = min(most, 1+rng.Int64N(5000))
					}
					part := make([]byte, 1+rng.Int64N(most))
					if err := segment.ReadFull(g.Data, part, off); err != nil {
						t.Fatalf("%s to %s: %d bytes from %d on: %v", s.name, to, len(part), off, err)
					}
					if !bytes.Equal(part, all[off:][:len(part)]) {
						t.Fatalf("%s to %s: %d bytes from %d on are others than in the whole", s.name, to, len(part), off)
					}
				}
			}
		}
	}
}

// TestLayout holds where codes lie, and what zero points and scales do to them, against the
// formulas by hand.
func TestLayout(t *testing.T) {
	repeat := func(b []byte, n int) []byte { return bytes.Repeat(b, n) }
	codes := numbers[int32](0x76543210)
	one := []byte{0, 0x3c} // of float16
	up := func(less float32) func(r, c int) float32 {
		return func(r, c int) float32 { return float32(c) - less }
	}
	gptq := func(format string) string {
		return fmt.Sprintf(`{"quantization_config": {"quant_method": "gptq", "bits": 4, "checkpoint_format": %q}}`, format)
	}
	columns := func(qweight []byte, in int64) []checkpoint.Entry {
		return []checkpoint.Entry{entry("m.qweight", i32, qweight, in, int64(len(qweight))/4/in), entry("m.qzeros", i32, numbers[int32](0x22222222), 1, 1), entry("m.scales", f16, repeat(one, 8), 1, 8)}
	}
	awq := []float32{0, 4, 1, 5, 2, 6, 3, 7}
	state := `{"quant_type": "nf4", "blocksize": 2, "dtype": "float32", "shape": [1, 3]}`
	sixteen := make([]float32, 16)
	for i := range sixteen {
		sixteen[i] = float32(i)
	}
	for _, c := range []struct {
		sample
		rows, cols int
		want       func(r, c int) float32
	}{
		{sample{"GPTQ", gptq("gptq"), columns(repeat(codes, 8), 1)}, 8, 8, up(3)},
		{sample{"GPTQ, second format", gptq("gptq_v2"), columns(repeat(codes, 8), 1)}, 8, 8, up(2)},
		{sample{"AWQ", `{"quantization_config": {"quant_method": "awq", "group_size": -1}}`, columns(repeat(codes, 5), 5)}, 8, 5, func(r, c int) float32 { return awq[r] - 2 }},
		{sample{"fp8", "", []checkpoint.Entry{entry("m.weight", f8, repeat([]byte{0x38}, 200*130), 200, 130), entry("m.weight_scale_inv", f32, numbers[float32](1, 2, 3, 4), 2, 2)}},
			200, 130, func(r, c int) float32 { return float32(1 + r/128*2 + c/128) }},
		{sample{"bitsandbytes", "", []checkpoint.Entry{entry("m.weight", u8, []byte{0x1f, 0x20}, 2, 1), entry("m.weight.absmax", f32, numbers[float32](1, 10), 2), entry("m.weight.quant_map", f32, numbers(sixteen...), 16),
			entry("m.weight.quant_state.bitsandbytes__nf4", u8, []byte(state), int64(len(state)))}}, 1, 3, func(r, c int) float32 { return []float32{1, 15, 20}[c] }},
		{sample{"MXFP4", "", []checkpoint.Entry{entry("m_blocks", u8, append(repeat([]byte{0x21}, 16), repeat([]byte{0x43}, 16)...), 1, 2, 1, 16), entry("m_scales", u8, []byte{127, 128}, 1, 2, 1)}},
			32, 2, func(r, c int) float32 { return [][]float32{{0.5, 1}, {3, 4}}[c][r%2] }},
		{sample{"NVFP4", "", []checkpoint.Entry{entry("m.weight", u8, repeat([]byte{0x21}, 8), 1, 8), entry("m.weight_scale", f8, []byte{0x40}, 1, 1), entry("m.weight_scale_2", f32, numbers[float32](3))}},
			1, 16, func(r, c int) float32 { return []float32{3, 6}[c%2] }},
	} {
		g := c.must(t, f32)
		if size := len(g.Shape); g.Shape[size-2] != int64(c.rows) || g.Shape[size-1] != int64(c.cols) {
			t.Errorf("%s: shape %v", c.name, g.Shape)
			continue
		}
		values := make([]float32, c.rows*c.cols)
		ops.Widen(values, read(t, g), f32)
		for i, v := range values {
			if want := c.want(i/c.cols, i%c.cols); v != want {
				t.Errorf("%s: [%d, %d] is %g, want %g", c.name, i/c.cols, i%c.cols, v, want)
				break
			}
		}
	}
}

// TestRefused are checkpoints that are not understood, or cannot be true.
func TestRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	of := func(key string, d checkpoint.DType, shape ...int64) checkpoint.Entry {
		return random(rng, key, d, shape...)
	}
	text := func(key, s string) checkpoint.Entry { return entry(key, u8, []byte(s), int64(len(s))) }
	gptq := []checkpoint.Entry{of("m.qweight", i32, 4, 8), of("m.qzeros", i32, 1, 1), of("m.scales", f16, 1, 8)}
	nf4 := func(state string) []checkpoint.Entry {
		return []checkpoint.Entry{of("m.weight", u8, 8, 1), of("m.weight.absmax", f32, 1), of("m.weight.quant_map", f32, 16), text("m.weight.quant_state.bitsandbytes__nf4", state)}
	}
	for _, c := range []struct {
		name, config string
		entries      []checkpoint.Entry
		want         string
	}{
		{"another method", `{"quantization_config": {"quant_method": "hqq"}}`, gptq, `quant_method "hqq"`},
		{"no method", `{"quantization_config": {"bits": 4}}`, gptq, "GPTQ, AWQ or the like"},
		{"no config", "", gptq, "quantization_config of a config.json"},
		{"config of another kind", `{"quantization_config": []}`, gptq, "config.json"},
		{"config that is none", `{`, gptq, "config.json"},
		{"another number of bits", `{"quantization_config": {"quant_method": "gptq", "bits": 5}}`, gptq, "5 bits"},
		{"bits that are no number", `{"quantization_config": {"quant_method": "gptq", "bits": "four"}}`, gptq, "no int64"},
		{"another dtype", `{"dtype": "float64", "quantization_config": {"quant_method": "gptq", "bits": 4}}`, gptq, `dtype "float64"`},
		{"another packing", `{"quantization_config": {"quant_method": "awq", "version": "gemv"}}`, gptq, `"gemv"`},
		{"another zero format", `{"quantization_config": {"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}}`, gptq, `"marlin"`},
		{"without scales", `{"quantization_config": {"quant_method": "gptq", "bits": 4}}`, gptq[:2], `"m.scales"`},
		{"scales alone", `{"quantization_config": {"quant_method": "gptq", "bits": 4}}`, []checkpoint.Entry{gptq[1]}, `"m.qzeros"`},
		{"groups that do not fit", `{"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 8}}`, gptq, "groups of 8"},
		{"a state of garbage", "", nf4("\x00{"), "quant_state"},
		{"a state of another type", "", nf4(`{"quant_type": "int2"}`), "int2"},
		{"a state of another shape", "", nf4(`{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [3, 17]}`), "3, 17"},
		{"a shape that overflows", "", nf4(`{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [4294967296, 4294967296, 4294967296]}`), "no weight"},
		{"a shape that is negative", "", nf4(`{"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [-4, -4]}`), "no weight"},
		{"blocks of nothing", "", nf4(`{"quant_type": "nf4", "blocksize": 0, "dtype": "float16", "shape": [4, 4]}`), "blocks of 0"},
		{"fp8 without a scale", `{"quantization_config": {"quant_method": "fp8"}}`, []checkpoint.Entry{of("m.weight", f8, 3, 3)}, "no scale"},
		{"a grid of other blocks", "", []checkpoint.Entry{of("m.weight", f8, 200, 200), of("m.weight_scale_inv", f32, 3, 2)}, "2, 2"},
		{"blocks of no size", `{"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 128]}}`, []checkpoint.Entry{of("m.weight", f8, 200, 200), of("m.weight_scale_inv", f32, 2, 2)}, "weight_block_size"},
		{"groups cut short", "", []checkpoint.Entry{of("m.weight", u8, 1, 12), of("m.weight_scale", f8, 1, 1), of("m.weight_scale_2", f32)}, "24 columns"},
		{"a rotated weight", `{"quantization_config": {"quant_method": "compressed-tensors", "transform_config": {"a": 1}}}`,
			[]checkpoint.Entry{of("m.weight_packed", i32, 2, 2)}, "transform_config"},
		{"no scheme", `{"quantization_config": {"quant_method": "compressed-tensors"}}`, []checkpoint.Entry{of("m.weight_packed", i32, 2, 2)}, "config_groups"},
		{"scaled inputs", `{"quantization_config": {"quant_method": "modelopt"}}`, []checkpoint.Entry{of("m.weight", f8, 2, 2), of("m.weight_scale", f32), of("m.pre_quant_scale", f32, 2)}, "pre_quant_scale"},
		{"a plain weight too", `{"quantization_config": {"quant_method": "gptq", "bits": 4}}`, append(slices.Clone(gptq), of("m.weight", f16, 8, 32)), "and, as"},
		{"another tensor of torchao", `{"quantization_config": {"quant_method": "torchao", "quant_type": {"default": {"_type": "Int4WeightOnlyConfig"}}}}`,
			[]checkpoint.Entry{of("m._weight_qdata", i8, 2, 2), of("m._weight_scale", f32, 2, 1)}, "Int4WeightOnlyConfig"},
	} {
		var config []byte
		if c.config != "" {
			config = []byte(c.config)
		}
		groups, err := Find(c.entries, config, 0)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %d groups, error %v, want %q", c.name, len(groups), err, c.want)
		}
	}
}

// TestIndex reads a weight whose g_idx names a group that is not there: an error where it is read.
func TestIndex(t *testing.T) {
	for _, g := range []int32{-1, 2, 1 << 30, -1 << 31} {
		index := make([]int32, 64)
		index[60] = g
		s := samples(1)[1]
		s.entries[3] = entry("m.g_idx", i32, numbers(index...), 64)
		w := s.must(t, bf16)
		b := make([]byte, 2)
		if err := segment.ReadFull(w.Data, b, 2*60); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("column 60 is in group %d", g)) {
			t.Errorf("group %d: %v", g, err)
		}
		if err := segment.ReadFull(w.Data, b, 2*59); err != nil {
			t.Errorf("the column before it: %v", err)
		}
	}
}

// TestDamage takes away and changes each tensor of each format: an error, or a weight that can be
// read, and never a panic.
func TestDamage(t *testing.T) {
	for i, s := range samples(1) {
		for k := range s.entries {
			without := s
			without.entries = slices.Delete(slices.Clone(s.entries), k, k+1)
			readable(t, without)
			for _, d := range []checkpoint.DType{i32, f16, f32, f8, u8, i8, i64, checkpoint.F4, checkpoint.BOOL, checkpoint.F64} {
				changed(t, i, k, func(t *checkpoint.Tensor) { t.DType = d })
			}
			for dim := range len(s.entries[k].Shape) {
				for _, v := range []int64{0, 1, -1, 2, 3, 1 << 20, 1 << 40, 1 << 62} {
					changed(t, i, k, func(t *checkpoint.Tensor) { t.Shape = slices.Clone(t.Shape); t.Shape[dim] = v })
					changed(t, i, k, func(t *checkpoint.Tensor) { t.Shape = slices.Insert(slices.Clone(t.Shape), dim, v) })
				}
				changed(t, i, k, func(t *checkpoint.Tensor) { t.Shape = slices.Delete(slices.Clone(t.Shape), dim, dim+1) })
			}
			changed(t, i, k, func(t *checkpoint.Tensor) { t.Data = segment.NewRange(t.Data, 0, t.Data.Size()/2) })
		}
	}
}

// changed reads sample i with one tensor changed.
func changed(t *testing.T, i, k int, change func(*checkpoint.Tensor)) {
	t.Helper()
	s := samples(1)[i]
	change(s.entries[k].Tensor)
	readable(t, s)
}

// readable reads the ends of what there is of a sample, if anything.
func readable(t *testing.T, s sample) {
	t.Helper()
	var config []byte
	if s.config != "" {
		config = []byte(s.config)
	}
	groups, err := Find(s.entries, config, checkpoint.F16)
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %v", s.name, err)
		}
		return
	}
	for _, g := range groups {
		if size, err := checkpoint.ByteSize(g.DType, g.Shape); err != nil || size != g.Data.Size() {
			t.Errorf("%s: %q %s %v has %d bytes: %v", s.name, g.Key, g.DType, g.Shape, g.Data.Size(), err)
		}
		b := make([]byte, min(4000, g.Data.Size()))
		_ = segment.ReadFull(g.Data, b, 0) // an error is as good
		_ = segment.ReadFull(g.Data, b, g.Data.Size()-int64(len(b)))
	}
}

// FuzzFind changes a tensor of a sample, and its config.json.
func FuzzFind(f *testing.F) {
	for i, s := range samples(1) {
		for k, e := range s.entries {
			f.Add(uint8(i), uint8(k), uint8(0), int64(1), "", s.config, "", []byte(nil))
			f.Add(uint8(i), uint8(k), uint8(1), int64(len(e.Key)), e.Key, s.config, "x", []byte(`{"quant_type":"nf4","blocksize":2,"dtype":"float32","shape":[1,3]}`))
		}
	}
	all := samples(1)
	f.Fuzz(func(t *testing.T, i, k, dim uint8, size int64, key, config, end string, b []byte) {
		s := all[int(i)%len(all)]
		s.entries, s.config = slices.Clone(s.entries), config
		at := int(k) % len(s.entries)
		tensor := *s.entries[at].Tensor
		if b != nil {
			tensor.Data = segment.Literal(b)
		}
		if tensor.Shape = slices.Clone(tensor.Shape); len(tensor.Shape) > 0 {
			tensor.Shape[int(dim)%len(tensor.Shape)] = size
		}
		if key == "" {
			key = tensor.Key
		}
		s.entries[at] = checkpoint.Entry{Key: key + end, Tensor: &tensor}
		readable(t, s)
	})
}
