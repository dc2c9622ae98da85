package adapter

import (
	"strings"
)

// part is what a tensor is to its layer.
type part string

// whole is a tensor that replaces one of the model.
const whole part = ""

// The parts that wfs merges, by the name that PEFT or LyCORIS has for them.
const (
	loraA      part = "lora_A"
	loraB      part = "lora_B"
	loraMid    part = "lora_mid"
	loraBias   part = "lora_B.bias"
	embeddingA part = "lora_embedding_A"
	embeddingB part = "lora_embedding_B"
	magnitude  part = "lora_magnitude_vector"
	alpha      part = "alpha"
	hadaW1A    part = "hada_w1_a"
	hadaW1B    part = "hada_w1_b"
	hadaW2A    part = "hada_w2_a"
	hadaW2B    part = "hada_w2_b"
	hadaT1     part = "hada_t1"
	hadaT2     part = "hada_t2"
	lokrW1     part = "lokr_w1"
	lokrW1A    part = "lokr_w1_a"
	lokrW1B    part = "lokr_w1_b"
	lokrW2     part = "lokr_w2"
	lokrW2A    part = "lokr_w2_a"
	lokrW2B    part = "lokr_w2_b"
	lokrT2     part = "lokr_t2"
	tokenRows  part = "trainable_tokens_delta"
)

// ending is how the key of a part ends.
type ending struct {
	text string
	part
}

// peft is how PEFT's files name parts; single, files without a configuration.
var (
	lycoris = []ending{
		{".hada_w1_a", hadaW1A}, {".hada_w1_b", hadaW1B}, {".hada_w2_a", hadaW2A}, {".hada_w2_b", hadaW2B}, {".hada_t1", hadaT1}, {".hada_t2", hadaT2},
		{".lokr_w1", lokrW1}, {".lokr_w1_a", lokrW1A}, {".lokr_w1_b", lokrW1B}, {".lokr_w2", lokrW2}, {".lokr_w2_a", lokrW2A}, {".lokr_w2_b", lokrW2B}, {".lokr_t2", lokrT2},
	}
	peft = append([]ending{
		{".lora_A.weight", loraA}, {".lora_B.weight", loraB}, {".lora_B.bias", loraBias},
		{".lora_embedding_A", embeddingA}, {".lora_embedding_B", embeddingB},
		{".lora_magnitude_vector", magnitude}, {".lora_magnitude_vector.weight", magnitude},
		{".token_adapter.trainable_tokens_delta", tokenRows},
	}, lycoris...)
	single = append([]ending{
		{".lora_A.weight", loraA}, {".lora_B.weight", loraB}, {".lora_B.bias", loraBias},
		{".lora_down.weight", loraA}, {".lora_up.weight", loraB}, {".lora_mid.weight", loraMid},
		{".lora.down.weight", loraA}, {".lora.up.weight", loraB}, {"_lora.down.weight", loraA}, {"_lora.up.weight", loraB},
		{".lora_magnitude_vector", magnitude}, {".alpha", alpha},
	}, lycoris...)
)

// name is a key, taken apart.
type name struct {
	path        string
	level       int
	part        part
	inner       bool // a wrapper is inside of the path
	underscores bool
}

// parse takes a key apart.
func (a *Adapter) parse(key string) (name, error) {
	if a.config != nil {
		return a.parsePEFT(key)
	}
	for _, e := range single {
		path, ok := strings.CutSuffix(key, e.text)
		if !ok || path == "" {
			continue
		}
		if !strings.Contains(path, ".") {
			for _, prefix := range []string{"lora_", "lycoris_"} {
				if strings.HasPrefix(path, prefix) {
					return name{path: path, part: e.part, underscores: true}, nil
				}
			}
		}
		return name{path: oldDiffusers(path), part: e.part}, nil
	}
	return name{}, a.errorf("%.200q is no part of a LoRA, LoHa or LoKr that wfs knows", key)
}

// oldDiffusers is the path of a layer that diffusers called after its attention processor:
// attn1.processor.to_q_lora.down.weight (diffusers/utils/state_dict_utils.py, DIFFUSERS_OLD_TO_PEFT).
func oldDiffusers(path string) string {
	before, leaf, ok := strings.Cut(path, ".processor.")
	if !ok {
		return path
	}
	if leaf == "to_out" {
		leaf = "to_out.0"
	}
	return before + "." + leaf
}

// parsePEFT takes a key of PEFT apart. Wrappers are called base_layer, at the end of the path
// or inside it.
func (a *Adapter) parsePEFT(key string) (name, error) {
	rest := strings.TrimPrefix(key, "base_model.model.")
	n := name{path: rest}
	for _, e := range peft {
		if path, ok := strings.CutSuffix(rest, e.text); ok && path != "" {
			n = name{path: path, part: e.part}
			break
		}
	}
	if n.part == whole {
		for _, mark := range []string{"lora_", "hada_", "lokr_", "ia3_", "oft_", "boft_", "vera_", "trainable_tokens_"} {
			if i := strings.Index("."+rest, "."+mark); i >= 0 {
				return n, a.errorf("%.200q is no part of an adapter that wfs knows", key)
			}
		}
	}
	for {
		path, ok := strings.CutSuffix(n.path, ".base_layer")
		if !ok {
			break
		}
		n.path, n.level = path, n.level+1
	}
	n.inner = strings.Contains(n.path, ".base_layer.")
	n.path = strings.ReplaceAll(n.path, ".base_layer.", ".")
	return n, nil
}
