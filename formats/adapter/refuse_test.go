package adapter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
)

// TestRefuses gives what cannot be merged truthfully, and what was made to hurt. Each error is
// one line that begins with the adapter's name and has the words.
func TestRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tensor := func(key string, shape ...int64) *checkpoint.Tensor { return random(rng, key, f32, shape...) }
	type tensors = []*checkpoint.Tensor
	good := tensors{tensor("q.lora_A.weight", 2, 6), tensor("q.lora_B.weight", 4, 2)}
	with := func(more ...*checkpoint.Tensor) tensors { return append(good[:2:2], more...) }
	ints := &checkpoint.Tensor{Key: "q.lora_A.weight", DType: checkpoint.I32, Shape: []int64{2, 6}, Data: tensor("", 2, 6).Data}
	base := bases(tensor("q.weight", 4, 6), tensor("a.k.weight", 4, 4), tensor("b.k.weight", 4, 4), tensor("e.weight", 9, 4), tensor("norm.weight", 4),
		tensor("x.up", 3, 4, 4), tensor("x.down", 3, 4, 4), tensor("conv.weight", 8, 3, 3, 3), tensor("unet/z.weight", 4, 4), tensor("t/z.weight", 4, 4))
	quantized := bases(&checkpoint.Tensor{Key: "q.weight", DType: checkpoint.U8, Shape: []int64{4, 6}, Data: tensor("", 2, 3).Data})
	many := []byte(`{"r": 2, "rank_pattern": {`)
	for i := range maxRegexps + 1 {
		many = fmt.Appendf(many, `"x+%d": 2, `, i)
	}
	many = append(many, `"q": 2}}`...)
	for name, c := range map[string]struct {
		config  string
		tensors tensors
		base    []Base
		words   string
	}{
		"no json":            {`nonsense`, good, base, "adapter_config.json: it is not JSON"},
		"half":               {`{"r": 2`, good, base, "ends in the middle"},
		"more":               {`{"r": 2} {}`, good, base, "goes on after its end"},
		"list":               {`[]`, good, base, "not a JSON object"},
		"deep":               {`{"x": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, good, base, "exceeded max depth"},
		"large":              {`{"r": 2` + strings.Repeat(" ", maxConfig) + "}", good, base, "16.0 MiB at most"},
		"NaN":                {`{"r": 2, "lora_alpha": NaN}`, good, base, "not JSON"},
		"infinite":           {`{"r": 2, "lora_alpha": 1e999}`, good, base, `"lora_alpha" is 1e999: not what PEFT writes there`},
		"text":               {`{"r": "2"}`, good, base, `"r" is "2": not what PEFT writes there`},
		"twice":              {`{"r": 2, "r": 3}`, good, base, `has "r" twice`},
		"zero":               {`{"r": 0}`, good, base, "r = 0"},
		"huge":               {`{"r": 1000000}`, good, base, "r = 1000000"},
		"negative":           {`{"r": 2, "rank_pattern": {"q": -1}}`, good, base, "a rank of -1"},
		"fraction":           {`{"r": 2, "rank_pattern": {"q": 1.5}}`, good, base, "a rank of 1.5"},
		"pattern":            {`{"r": 2, "rank_pattern": {"(": 1}}`, good, base, `pattern "("`},
		"look-around":        {`{"r": 2, "alpha_pattern": {"(?!x)q": 1}}`, good, base, "none of RE2"},
		"many":               {string(many), good, base, "more than 10000 regular expressions"},
		"field":              {`{"r": 2, "what": 1}`, good, base, `"what" is set`},
		"replication":        {`{"r": 2, "layer_replication": [[0, 4], [2, 5]]}`, good, base, "layer_replication is set: it makes a model of more layers"},
		"aLoRA":              {`{"r": 2, "alora_invocation_tokens": [1]}`, good, base, "alora_invocation_tokens is set"},
		"pissa":              {`{"r": 2, "init_lora_weights": "pissa_niter_4"}`, good, base, `init_lora_weights is "pissa_niter_4"`},
		"IA3":                {`{"peft_type": "IA3"}`, good, base, `peft_type "IA3"`},
		"other rank":         {`{"r": 4}`, good, base, `"q" has a rank of 4 by its configuration, and its tensors have 2`},
		"no B":               {`{"r": 2}`, good[:1], base, `it has "q.lora_A.weight", and no lora_B beside it`},
		"no A":               {`{"r": 2}`, good[1:], base, "no lora_A beside it"},
		"ranks":              {`{"r": 2}`, tensors{good[0], tensor("q.lora_B.weight", 4, 3)}, base, "their ranks differ"},
		"shape":              {`{"r": 2}`, tensors{good[0], tensor("q.lora_B.weight", 5, 2)}, base, `their product is none of "q.weight" of the model, F32 [4, 6]`},
		"grouped":            {`{"r": 2}`, tensors{tensor("conv.lora_A.weight", 2, 6, 3, 3), tensor("conv.lora_B.weight", 8, 2, 1, 1)}, base, "grouped convolution"},
		"partitioned":        {`{"r": 2}`, tensors{tensor("q.lora_A.weight", 0)}, base, "partitioned"},
		"integers":           {`{"r": 2}`, tensors{ints, good[1]}, base, "floating-point"},
		"another model":      {`{"r": 2}`, tensors{tensor("z.a.lora_A.weight", 2, 4), tensor("z.a.lora_B.weight", 4, 2)}, base, `no tensor for "z.a" of the adapter: it is of another model`},
		"unmatched":          {`{"r": 2}`, with(tensor("new.weight", 3)), base, `no tensor for "new.weight" of the adapter: wfs changes tensors and adds none`},
		"ambiguous":          {`{"r": 2}`, tensors{tensor("k.lora_A.weight", 2, 4), tensor("k.lora_B.weight", 4, 2)}, base, `"k.weight" fits "a.k.weight" and "b.k.weight"`},
		"two directories":    {`{"r": 2}`, tensors{tensor("z.lora_A.weight", 2, 4), tensor("z.lora_B.weight", 4, 2)}, base, `fits "t/z.weight" and "unet/z.weight"`},
		"quantized":          {`{"r": 2}`, good, quantized, "is U8, and adapters are merged into F32, F16 and BF16: a quantized model takes an adapter with --dequantize"},
		"other shape":        {`{"r": 2}`, with(tensor("norm.weight", 5)), base, "is F32 [5], and the model's is F32 [4]"},
		"lengths":            {`{"r": 2, "use_dora": true}`, with(tensor("q.lora_magnitude_vector", 5)), base, `"q.weight" has 4 lengths`},
		"no lengths":         {`{"r": 2, "use_dora": true}`, good, base, "no lora_magnitude_vector"},
		"lengths, no DoRA":   {`{"r": 2}`, with(tensor("q.lora_magnitude_vector", 4)), base, "does not set use_dora"},
		"bias":               {`{"r": 2, "lora_bias": true}`, with(tensor("q.lora_B.bias", 4)), base, "has no bias"},
		"unknown part":       {`{"r": 2}`, with(tensor("q.lora_E", 2)), base, `"q.lora_E" is no part`},
		"part of another":    {`{"r": 2}`, with(tensor("q.hada_w1_a", 2, 2)), base, "parts that it does not go with"},
		"tokens":             {`{"r": 2, "trainable_token_indices": [9]}`, tensors{tensor("e.token_adapter.trainable_tokens_delta", 1, 4)}, base, "token 9 of trainable_token_indices is none of the 9"},
		"number of tokens":   {`{"r": 2, "trainable_token_indices": [1]}`, tensors{tensor("e.token_adapter.trainable_tokens_delta", 2, 4)}, base, "for 1 tokens"},
		"no tokens":          {`{"r": 2}`, tensors{tensor("e.token_adapter.trainable_tokens_delta", 2, 4)}, base, "does not say which"},
		"parameters":         {`{"r": 2, "target_parameters": ["x.up", "x.down"]}`, tensors{tensor("x.lora_A.weight", 6, 4), tensor("x.lora_B.weight", 4, 6)}, base, `fits "x.up" and "x.down"`},
		"square parameter":   {`{"r": 2, "target_parameters": ["x.up"]}`, tensors{tensor("x.lora_A.weight", 6, 4), tensor("x.lora_B.weight", 4, 6)}, base, "either way round"},
		"other parameter":    {`{"r": 2, "target_parameters": ["x.up"]}`, tensors{tensor("x.lora_A.weight", 5, 4), tensor("x.lora_B.weight", 4, 5)}, base, `no parameter of "x"`},
		"experts":            {`{"r": 2, "target_parameters": ["y.up"]}`, with(tensor("y.lora_A.weight", 6, 4), tensor("y.lora_B.weight", 4, 6)), append(base, bases(tensor("m.y.0.up.weight", 4, 4))...), `no tensor for "y" of the adapter: the file has its experts one by one`},
		"nested":             {`{"r": 2}`, with(tensor("q.base_layer.lora_A.weight", 2, 6), tensor("q.base_layer.lora_B.weight", 4, 2)), base, "names no target_parameters"},
		"twice a layer":      {`{"r": 2}`, with(tensor("x.q.lora_A.weight", 2, 6), tensor("x.q.lora_B.weight", 4, 2)), base, "changed twice"},
		"core":               {`{"peft_type": "LOHA", "r": 2}`, tensors{tensor("q.hada_w1_a", 2, 4), tensor("q.hada_w1_b", 2, 6), tensor("q.hada_w2_a", 2, 4), tensor("q.hada_w2_b", 2, 6), tensor("q.hada_t1", 2, 3, 1, 1), tensor("q.hada_t2", 2, 2, 1, 1)}, base, "a core is rank × rank × kernel"},
		"Kronecker":          {`{"peft_type": "LOKR", "r": 2}`, tensors{tensor("q.lokr_w1", 2, 2), tensor("q.lokr_w2", 2, 2)}, base, `make 4 × 4, and "q.weight"`},
		"Kronecker of lines": {`{"peft_type": "LOKR", "r": 2}`, tensors{tensor("q.lokr_w1", 2, 2), tensor("q.lokr_w2", 2, 3, 1)}, base, "of a Conv1d"},
		"file":               {"", tensors{tensor("q.weight", 2, 2)}, base, `"q.weight" is no part`},
		"PEFT, no config":    {"", tensors{tensor("base_model.model.q.lora_A.weight", 2, 6)}, base, "adapter_config.json that is not there"},
		"NaN alpha":          {"", with(filled("q.alpha", float32(nan()))), base, `"q.alpha" is NaN`},
		"alphas":             {"", with(tensor("q.alpha", 3)), base, "more numbers than one"},
		"unmatched kohya":    {"", tensors{tensor("lora_unet_x.lora_down.weight", 2, 6), tensor("lora_unet_x.lora_up.weight", 4, 2)}, base, `no tensor for "lora_unet_x"`},
		"DoRA of kohya":      {"", with(tensor("q.dora_scale", 4)), base, `"q.dora_scale" is no part`},
		"nothing":            {`{}`, nil, base, "it holds no tensors"},
		"terminal":           {`{"r": 2}`, tensors{tensor("\x1b[2J.lora_A.weight", 2, 4), tensor("\x1b[2J.lora_B.weight", 4, 2)}, base, `"\x1b[2J"`},
		"long":               {`{"r": 2}`, tensors{tensor(strings.Repeat("x", 1<<20)+".lora_A.weight", 2, 4), tensor(strings.Repeat("x", 1<<20)+".lora_B.weight", 4, 2)}, base, "another model"},
	} {
		t.Run(name, func(t *testing.T) {
			var config []byte
			if c.config != "" {
				config = []byte(c.config)
			}
			a, err := Open(modelOf(c.tensors...), config)
			if err == nil {
				_, err = a.Match(c.base)
			}
			if err == nil {
				t.Fatal("it was merged")
			}
			if text := err.Error(); !strings.HasPrefix(text, "adapter: ") || !strings.Contains(text, c.words) || strings.ContainsAny(text, "\n\x1b") || len(text) > 4096 {
				t.Errorf("%q\nwant %q", text, c.words)
			}
		})
	}
}

func nan() (f float64) { return f / f }

// FuzzOpen reads configurations and keys that nobody wrote.
func FuzzOpen(f *testing.F) {
	f.Add(`{"r": 2, "lora_alpha": 4, "rank_pattern": {"q": 2}, "target_parameters": ["x.up"], "trainable_token_indices": {"e": [0, 1]}}`, "q.lora_A.weight\nq.lora_B.weight\nx.lora_A.weight\nx.lora_B.weight\nx.base_layer.lora_A.weight\ne.token_adapter.trainable_tokens_delta", uint64(1))
	f.Add(`{"peft_type": "LOKR", "r": 2}`, "q.lokr_w1\nq.lokr_w2_a\nq.lokr_w2_b\nq.lokr_t2", uint64(2))
	f.Add(`{"peft_type": "LOHA", "r": 2, "alpha": 1}`, "q.hada_w1_a\nq.hada_w1_b\nq.hada_w2_a\nq.hada_w2_b\nq.hada_t1\nq.hada_t2", uint64(3))
	f.Add("", "lora_unet_down_blocks_0_q.lora_down.weight\nlora_unet_down_blocks_0_q.lora_up.weight\nlora_unet_down_blocks_0_q.alpha\nunet.q.lora_A.weight\nunet.q.lora_B.weight", uint64(4))
	f.Add(`{"use_dora": true, "fan_in_fan_out": true}`, "q.lora_embedding_A\nq.lora_embedding_B\nq.lora_magnitude_vector\nq.weight\nq.lora_B.bias", uint64(5))
	f.Fuzz(tryAdapter)
}

// tryAdapter merges tensors of these keys and of any shape, where that is not refused.
func tryAdapter(t *testing.T, config, keys string, seed uint64) {
	if len(keys) > 4096 {
		return
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	var tensors []*checkpoint.Tensor
	shape := func() []int64 {
		s := make([]int64, rng.IntN(5))
		for i := range s {
			s[i] = []int64{1, 2, 2, 4, 4, 8, 0}[rng.IntN(7)]
		}
		return s
	}
	for key := range strings.SplitSeq(keys, "\n") {
		tensors = append(tensors, random(rng, key, f32, shape()...))
	}
	var text []byte
	if config != "" {
		text = []byte(config)
	}
	a, err := Open(modelOf(tensors...), text)
	if err != nil {
		return
	}
	base := bases(random(rng, "q.weight", f32, shape()...), random(rng, "m.q.bias", b16, shape()...), random(rng, "x.up", f32, 2, 4, 4), random(rng, "e.weight", b16, 4, 4), random(rng, "unet/down_blocks.0.q.weight", f32, shape()...))
	merges, err := a.Match(base)
	if err != nil {
		return
	}
	for _, b := range base {
		if m := merges[b.Name()]; m != nil {
			merged, err := m.Apply(b.Array, 0.5)
			if err != nil {
				continue
			}
			if merged.Data.Size() != b.Data.Size() {
				t.Fatalf("%s has %d bytes", b.Name(), merged.Data.Size())
			}
			p := make([]byte, merged.Data.Size())
			if n, err := merged.Data.ReadAt(p, 0); n < len(p) {
				t.Fatal(err)
			}
		}
	}
}
