package view

import (
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// TestUnmerged has steps that merge an adapter in part, or into nothing: that is not passed over.
func TestUnmerged(t *testing.T) {
	weight := func(key string, shape ...int64) *checkpoint.Tensor {
		n, err := checkpoint.ByteSize(checkpoint.F32, shape)
		if err != nil {
			t.Fatal(err)
		}
		return &checkpoint.Tensor{Key: key, DType: checkpoint.F32, Shape: shape, Data: segment.Literal(make([]byte, n))}
	}
	single := func(path string, tensors ...*checkpoint.Tensor) *checkpoint.Model {
		return checkpoint.Single(path, &checkpoint.Checkpoint{
			Source: source.NewMemory(path, segment.Literal(nil), nil), Separator: ".", Framework: "pt", Tensors: tensors,
		})
	}
	open := func(string) (*checkpoint.Model, error) {
		var tensors []*checkpoint.Tensor
		for _, layer := range []string{"a", "b"} {
			tensors = append(tensors, weight("base_model.model."+layer+".lora_A.weight", 2, 4), weight("base_model.model."+layer+".lora_B.weight", 3, 2))
		}
		m := single("lora", tensors...)
		config := segment.Literal(`{"peft_type": "LORA", "r": 2, "lora_alpha": 2}`)
		m.Files = []checkpoint.File{{Path: adapterConfig, Source: source.NewMemory(adapterConfig, config, nil)}}
		return m, nil
	}
	for from, want := range map[string]string{
		"{x}.weight":  "",
		"b.weight":    `r.toml:2:5: the adapter changes "a.weight", which no step merges`,
		"norm.weight": `r.toml:2:5: the adapter changes "a.weight", which no step merges`,
	} {
		r := ruled(t, "[sources]\nl = {path = 'lora', kind = 'peft'}\n[[tensor]]\nfrom = '"+from+"'\nto = '"+from+"'\ndo = ['lora l 1']")
		r.Open = open
		_, err := New(single("m", weight("a.weight", 3, 4), weight("b.weight", 3, 4), weight("norm.weight", 4)), r)
		if got := ""; err != nil {
			if got = err.Error(); got != want {
				t.Errorf("%s: %s, want %s", from, got, want)
			}
		} else if want != "" {
			t.Errorf("%s: it is planned", from)
		}
	}
}
