package adapter

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

const (
	f32 = checkpoint.F32
	b16 = checkpoint.BF16
)

// bases are tensors of a model.
func bases(tensors ...*checkpoint.Tensor) []Base {
	var base []Base
	for _, t := range tensors {
		set, key, ok := strings.Cut(t.Key, "/")
		if !ok {
			set, key = "", t.Key
		}
		base = append(base, Base{Key: key, Set: set, Array: ops.Of(t)})
	}
	return base
}

// filled is a tensor whose numbers are all v.
func filled(key string, v float32, shape ...int64) *checkpoint.Tensor {
	n, _ := segment.Count(shape)
	b := make([]byte, 4*n)
	ops.Narrow(b, slices.Repeat([]float32{v}, int(n)), f32)
	return &checkpoint.Tensor{Key: key, DType: f32, Shape: shape, Data: segment.Literal(b)}
}

func matchOf(t *testing.T, m *checkpoint.Model, config string, base []Base) (map[string]*Merge, *Adapter) {
	t.Helper()
	var text []byte
	if config != "" {
		text = []byte(config)
	}
	a, err := Open(m, text)
	if err != nil {
		t.Fatal(err)
	}
	merges, err := a.Match(base)
	if err != nil {
		t.Fatal(err)
	}
	return merges, a
}

func apply(t *testing.T, m *Merge, b Base, weight float64) []float32 {
	t.Helper()
	merged, err := m.Apply(b.Array, weight)
	if err != nil {
		t.Fatal(err)
	}
	f, err := numbers(&checkpoint.Tensor{DType: merged.DType, Shape: merged.Shape, Data: merged.Data})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestScale looks at one number of each: W = 1, and A and B are of ones, so that the product
// is the rank.
func TestScale(t *testing.T) {
	model := func(prefix string) *checkpoint.Model {
		return modelOf(filled(prefix+"layers.1.q_proj.lora_A.weight", 1, 4, 6), filled(prefix+"layers.1.q_proj.lora_B.weight", 1, 5, 4))
	}
	base := bases(filled("layers.1.q_proj.weight", 1, 5, 6))
	for config, want := range map[string]float32{
		`{"r": 4, "lora_alpha": 4}`:                                1 + 4,
		`{"r": 4, "lora_alpha": 2}`:                                1 + 2,
		`{"r": 4, "lora_alpha": 2.5}`:                              1 + 2.5,
		`{"r": 4, "lora_alpha": 4, "use_rslora": true}`:            1 + 8,
		`{"r": 4, "lora_alpha": 0}`:                                1,
		`{"r": 8, "lora_alpha": 4, "rank_pattern": {"q_proj": 4}}`: 1 + 4,
		`{"r": 4, "lora_alpha": 4, "alpha_pattern": {"layers.2.q_proj": 7, "1.q_proj": 8, "q_proj": 12}}`:       1 + 8,
		`{"r": 4, "lora_alpha": 4, "alpha_pattern": {"q_proj": 12, "1.q_proj": 8}}`:                             1 + 12,
		`{"r": 4, "lora_alpha": 4, "alpha_pattern": {"_proj": 8, "roj": 8, "layers.1": 8}}`:                     1 + 4,
		`{"r": 4, "lora_alpha": 4, "alpha_pattern": {"^layers\\.\\d+\\.(q|k)_proj": 8}}`:                        1 + 8,
		`{"r": 4, "lora_alpha": 4, "alpha_pattern": {"^q_proj": 8}}`:                                            1 + 4,
		`{"r": 4, "lora_alpha": 4, "alpha_pattern": {"layersX1Xq_proj": 9, "layers.1.q.proj": 8}}`:              1 + 8,
		`{"r": 4, "lora_alpha": 4, "new_field": null, "other": false, "peft_version": "0.99", "more": []}`:      1 + 4,
		`{"r": 4, "lora_alpha": 4, "init_lora_weights": "gaussian", "bias": "none", "target_modules": ["all"]}`: 1 + 4,
	} {
		merges, _ := matchOf(t, model("base_model.model."), config, base)
		if got := apply(t, merges["layers.1.q_proj.weight"], base[0], 1)[7]; got != want {
			t.Errorf("%s: %g, want %g", config, got, want)
		}
	}
	merges, _ := matchOf(t, model("base_model.model."), `{"r": 4, "lora_alpha": 4}`, base)
	if got := apply(t, merges["layers.1.q_proj.weight"], base[0], -0.5)[0]; got != 1-2 {
		t.Errorf("a weight of -0.5 makes %g", got)
	}
}

// TestFind matches keys of models that have more in front, or less.
func TestFind(t *testing.T) {
	base := bases(filled("model.layers.0.q.weight", 1, 2, 2), filled("lm_head.weight", 1, 2, 2), filled("a.x.k.weight", 1, 2, 2), filled("b.x.k.weight", 1, 2, 2), filled("unet/conv.weight", 1, 2, 2))
	r := newResolver(base)
	for path, want := range map[string]string{
		"model.layers.0.q.weight": "model.layers.0.q.weight", "layers.0.q.weight": "model.layers.0.q.weight", "base.model.layers.0.q.weight": "model.layers.0.q.weight",
		"lm_head.weight": "lm_head.weight", "transformer.lm_head.weight": "lm_head.weight", "head.weight": "", "0.q.weight": "model.layers.0.q.weight",
		"x.k.weight": "two", "a.x.k.weight": "a.x.k.weight", "unet.conv.weight": "unet/conv.weight", "conv.weight": "unet/conv.weight", "": "",
	} {
		i, ok, err := r.find(path)
		got := ""
		if err != nil {
			got = "two"
		} else if ok {
			got = base[i].Name()
		}
		if got != want {
			t.Errorf("find(%q) = %q, want %q", path, got, want)
		}
	}
}

// TestUNetNames turns names of diffusers' UNet into those of the original, and back.
func TestUNetNames(t *testing.T) {
	for diffusers, original := range map[string]string{
		"conv_in": "input_blocks.0.0", "down_blocks.0.resnets.1.conv1": "input_blocks.2.0.in_layers.2",
		"down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0": "input_blocks.4.1.transformer_blocks.0.attn1.to_out.0",
		"down_blocks.2.downsamplers.0.conv":                              "input_blocks.9.0.op",
		"mid_block.resnets.1.conv_shortcut":                              "middle_block.2.skip_connection",
		"mid_block.attentions.0.proj_in":                                 "middle_block.1.proj_in",
		"up_blocks.3.resnets.2.time_emb_proj":                            "output_blocks.11.0.emb_layers.1",
		"up_blocks.1.attentions.2.proj_out":                              "output_blocks.5.1.proj_out",
		"up_blocks.1.upsamplers.0.conv":                                  "output_blocks.5.2.conv",
		"time_embedding.linear_2":                                        "time_embed.2",
	} {
		if got := otherUNet(diffusers); !slices.Contains(got, original) {
			t.Errorf("%s is %q", diffusers, got)
		}
		if got := otherUNet(original); !slices.Contains(got, diffusers) {
			t.Errorf("%s is %q", original, got)
		}
	}
	for _, path := range []string{"", "down_blocks", "up_blocks.0", "mid_block.resnets", "input_blocks.-1.0", "input_blocks.99999999999999999999.0", "output_blocks.x.1.conv"} {
		otherUNet(path)
	}
}

// TestTied changes both names of a tensor, and says where they come apart.
func TestTied(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	file := &source{random(rng, "", f32, 6, 4).Data}
	embed := &checkpoint.Tensor{Key: "embed.weight", DType: f32, Shape: []int64{6, 4}, Data: segment.NewRange(file, 0, 96)}
	head := &checkpoint.Tensor{Key: "head.weight", DType: f32, Shape: []int64{6, 4}, Data: segment.NewRange(file, 0, 96)}
	base := bases(embed, head)
	merges, a := matchOf(t, modelOf(random(rng, "embed.lora_embedding_A", f32, 2, 6), random(rng, "embed.lora_embedding_B", f32, 4, 2)), `{"r": 2}`, base)
	if merges["head.weight"] == nil || merges["head.weight"] != merges["embed.weight"] || len(a.Notes()) != 1 {
		t.Errorf("%v, %q", merges, a.Notes())
	}
	merges, a = matchOf(t, modelOf(random(rng, "head.weight", f32, 6, 4), random(rng, "q.lora_A.weight", f32, 2, 4), random(rng, "q.lora_B.weight", f32, 4, 2)), `{"r": 2}`, append(base, bases(random(rng, "q.weight", f32, 4, 4))...))
	if merges["head.weight"] == nil || merges["embed.weight"] != nil || len(a.Notes()) != 1 {
		t.Errorf("%v, %q", merges, a.Notes())
	}
}

// source is a reader that is no Composite, as files are.
type source struct{ segment.Data }

// TestLargeFactor reads factors that are too large to be held by windows, and has the same
// bits as with one that is held.
func TestLargeFactor(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	base := bases(random(rng, "q.weight", b16, 40, 3000))
	a, b := random(rng, "q.lora_A.weight", f32, 700, 3000), random(rng, "q.lora_B.weight", b16, 40, 700)
	merges, _ := matchOf(t, modelOf(a, b), `{"r": 700}`, base)
	want := apply(t, merges["q.weight"], base[0], 1)
	merges["q.weight"].added.delta.(*product).right.(*stored).held = nil
	if got := apply(t, merges["q.weight"], base[0], 1); !slices.Equal(got, want) {
		t.Error("others")
	}
}

// TestReadFunc passes the way to read down to weights and factors.
func TestReadFunc(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	base := bases(random(rng, "q.weight", f32, 8, 8))
	a, b := random(rng, "q.lora_A.weight", f32, 2, 8), random(rng, "q.lora_B.weight", f32, 8, 2)
	b.Data = segment.NewRange(&source{b.Data}, 0, b.Data.Size())
	merges, _ := matchOf(t, modelOf(a, b), `{"r": 2}`, base)
	merged, err := merges["q.weight"].Apply(base[0].Array, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := segment.ReadCached(merged.Data, make([]byte, 8), 0); err != segment.ErrNotCached {
		t.Errorf("a factor that is not in memory: %v", err)
	}
}

// TestApplyRefuses gives a Merge another tensor than it was made for.
func TestApplyRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	base := bases(random(rng, "q.weight", f32, 8, 8))
	merges, _ := matchOf(t, modelOf(random(rng, "q.lora_A.weight", f32, 2, 8), random(rng, "q.lora_B.weight", f32, 8, 2)), `{"r": 2}`, base)
	for _, other := range []ops.Array{ops.Of(random(rng, "", b16, 8, 8)), ops.Of(random(rng, "", f32, 8, 9))} {
		if _, err := merges["q.weight"].Apply(other, 1); err == nil {
			t.Errorf("%s was taken", other)
		}
	}
}

// TestMatchTwice matches an adapter to two models.
func TestMatchTwice(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	a, err := Open(modelOf(random(rng, "e.token_adapter.trainable_tokens_delta", f32, 2, 4)), []byte(`{"trainable_token_indices": {"e": [3, 1]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		base := bases(filled("e.weight", 7, 5, 4))
		merges, err := a.Match(base)
		if err != nil {
			t.Fatal(err)
		}
		got := apply(t, merges["e.weight"], base[0], 1)
		rows, _ := numbers(a.modules[0].parts[tokenRows])
		if want := slices.Concat([]float32{7, 7, 7, 7}, rows[4:], []float32{7, 7, 7, 7}, rows[:4], []float32{7, 7, 7, 7}); !slices.Equal(got, want) {
			t.Errorf("%g, want %g", got, want)
		}
	}
}

// TestOrientation takes a square layer for what those beside it are.
func TestOrientation(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, transposed := range []bool{false, true} {
		wide := random(rng, "h.0.c_fc.weight", f32, 6, 10)
		if !transposed {
			wide.Shape = []int64{10, 6}
		}
		base := bases(wide, random(rng, "h.0.c_proj.weight", f32, 6, 6))
		m := modelOf(random(rng, "h.0.c_fc.lora_A.weight", f32, 2, 6), random(rng, "h.0.c_fc.lora_B.weight", f32, 10, 2),
			random(rng, "h.0.c_proj.lora_A.weight", f32, 2, 6), random(rng, "h.0.c_proj.lora_B.weight", f32, 6, 2))
		// PEFT corrects what is false for a layer, and the last layer's is written.
		merges, _ := matchOf(t, m, fmt.Sprintf(`{"r": 2, "fan_in_fan_out": %t}`, !transposed), base)
		left := merges["h.0.c_proj.weight"].added.delta.(*product).left.(*stored)
		if (left.held != nil) != transposed {
			t.Errorf("transposed %t: the square layer is not", transposed)
		}
	}
}

// TestRequests reads every kind of product by requests of all sizes.
func TestRequests(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for name, c := range map[string]struct {
		config  string
		base    *checkpoint.Tensor
		tensors []*checkpoint.Tensor
	}{
		"plain":   {`{"r": 3}`, random(rng, "q.weight", b16, 70, 1300), []*checkpoint.Tensor{random(rng, "q.lora_A.weight", f32, 3, 1300), random(rng, "q.lora_B.weight", f32, 70, 3)}},
		"dora":    {`{"r": 3, "use_dora": true}`, random(rng, "q.weight", b16, 70, 1300), []*checkpoint.Tensor{random(rng, "q.lora_A.weight", f32, 3, 1300), random(rng, "q.lora_B.weight", f32, 70, 3), random(rng, "q.lora_magnitude_vector", f32, 70)}},
		"columns": {`{"r": 3, "use_dora": true}`, random(rng, "q.weight", b16, 1300, 70), []*checkpoint.Tensor{random(rng, "q.lora_A.weight", f32, 3, 1300), random(rng, "q.lora_B.weight", f32, 70, 3), random(rng, "q.lora_magnitude_vector", f32, 70)}},
		"experts": {`{"r": 3, "target_parameters": ["up"]}`, random(rng, "q.up", b16, 5, 30, 40), []*checkpoint.Tensor{random(rng, "q.lora_A.weight", f32, 15, 40), random(rng, "q.lora_B.weight", f32, 30, 15)}},
		"loha":    {`{"peft_type": "LOHA", "r": 3}`, random(rng, "q.weight", b16, 70, 1300), []*checkpoint.Tensor{random(rng, "q.hada_w1_a", f32, 70, 3), random(rng, "q.hada_w1_b", f32, 3, 1300), random(rng, "q.hada_w2_a", f32, 70, 3), random(rng, "q.hada_w2_b", f32, 3, 1300)}},
		"lokr":    {`{"peft_type": "LOKR", "r": 3}`, random(rng, "q.weight", b16, 70, 1300), []*checkpoint.Tensor{random(rng, "q.lokr_w1", f32, 7, 4), random(rng, "q.lokr_w2_a", f32, 10, 3), random(rng, "q.lokr_w2_b", f32, 3, 325)}},
	} {
		base := bases(c.base)
		merges, _ := matchOf(t, modelOf(c.tensors...), c.config, base)
		merged, err := merges[c.base.Key].Apply(base[0].Array, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		all := make([]byte, merged.Data.Size())
		if err := segment.ReadFull(merged.Data, all, 0); err != nil {
			t.Fatal(err)
		}
		for range 300 {
			off := rng.Int64N(int64(len(all)))
			p := make([]byte, 1+rng.Int64N(min(int64(len(all))-off, 1<<uint(rng.IntN(18)))))
			if err := segment.ReadFull(merged.Data, p, off); err != nil || !bytes.Equal(p, all[off:][:len(p)]) {
				t.Fatalf("%s: %d bytes at %d are others: %v", name, len(p), off, err)
			}
		}
	}
}
