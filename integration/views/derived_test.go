package views

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"wfs/integration/harness"
)

// flags are those of a view, for wfs and for verify_views.py.
type flags struct {
	Source      string   `json:"source"`
	Include     []string `json:"include,omitempty"`
	Exclude     []string `json:"exclude,omitempty"`
	DType       string   `json:"dtype,omitempty"`
	Keep        []string `json:"keep,omitempty"`
	Tied        string   `json:"tied,omitempty"`
	ShardSize   string   `json:"shard-size,omitempty"`
	MergeShards bool     `json:"merge,omitempty"`
}

func (f flags) arguments() (args []string) {
	for name, values := range map[string][]string{"include": f.Include, "exclude": f.Exclude, "keep": f.Keep} {
		for _, v := range values {
			args = append(args, "--"+name, v)
		}
	}
	for name, value := range map[string]string{"dtype": f.DType, "tied": f.Tied, "shard-size": f.ShardSize} {
		if value != "" {
			args = append(args, "--"+name, value)
		}
	}
	if f.MergeShards {
		args = append(args, "--merge-shards")
	}
	return args
}

// TestDerivedViews mounts views with rules, and has safetensors, huggingface_hub and
// transformers read them.
func TestDerivedViews(t *testing.T) {
	dir := t.TempDir()
	harness.Python(t, harness.Torch, "verify_views.py", nil, nil, "write", dir)
	mounts := map[string]flags{}
	for _, f := range []flags{
		{Source: "sharded", DType: "bf16"},
		{Source: "sharded", DType: "f16", ShardSize: "50KB"},
		{Source: "sharded", DType: "bf16", Keep: []string{"*norm*", "lm_head*"}, MergeShards: true},
		{Source: "sharded", MergeShards: true},
		{Source: "sharded", ShardSize: "100KB"},
		{Source: "sharded", ShardSize: "1000"},
		{Source: "sharded", ShardSize: "1GB"},
		{Source: "sharded", Include: []string{"model.layers.1.*", "*norm*"}},
		{Source: "sharded", Exclude: []string{"*mlp*", "lm_head.weight"}, DType: "f8_e4m3", ShardSize: "9KB"},
		{Source: "nested.pt", DType: "f8_e5m2", Exclude: []string{"module.model.layers.[02].*"}},
		{Source: "nested.pt", DType: "bf16", Tied: "drop", Keep: []string{"*embed*"}},
		{Source: "nested.pt", Tied: "drop"},
		{Source: "nested.pt", Tied: "drop", ShardSize: "70KB"},
	} {
		mounts[harness.Mount(t, filepath.Join(dir, f.Source), f.arguments()...)] = f
	}
	text, err := json.Marshal(mounts)
	harness.Must(t, err)
	var problems []string
	harness.Python(t, harness.Torch, "verify_views.py", nil, &problems, "check", dir, string(text))
	for _, p := range problems {
		t.Error(p)
	}
}
