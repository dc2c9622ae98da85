package view

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/rules"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// shards is a model of several files. Each word is a tensor: its key, a colon, and the bytes
// that it has as U8, or F32 of so many elements with an f; "=KEY" ties it to another.
func shards(files ...string) *checkpoint.Model {
	set := &checkpoint.Set{Index: "model.safetensors.index.json"}
	for i, words := range files {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(files))
		c := &checkpoint.Checkpoint{Source: source.NewMemory(name, segment.Literal(nil), nil), Separator: ".", Framework: "pt", Verbatim: true}
		for _, word := range strings.Fields(words) {
			key, size, _ := strings.Cut(word, ":")
			size, tied, _ := strings.Cut(size, "=")
			var n int64
			float := strings.HasSuffix(size, "f")
			fmt.Sscan(strings.TrimSuffix(size, "f"), &n)
			t := &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Shape: []int64{n}, Data: segment.Literal(make([]byte, n))}
			if float {
				t.DType, t.Data = checkpoint.F32, segment.Literal(make([]byte, 4*n))
			}
			if k := slices.IndexFunc(c.Tensors, func(o *checkpoint.Tensor) bool { return o.Key == tied }); tied != "" {
				t.Tied, t.Data = c.Tensors[k], c.Tensors[k].Data
			}
			c.Tensors = append(c.Tensors, t)
		}
		set.Shards = append(set.Shards, checkpoint.Shard{Checkpoint: c, ViewName: name})
	}
	return &checkpoint.Model{Path: "m", Sets: []*checkpoint.Set{set}}
}

// ruled is what a file of rules says.
func ruled(t *testing.T, text string) Rules {
	t.Helper()
	f, err := rules.Parse("r.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Rules{File: f}
}

// TestDerive has what rules make of the tensors and files of a model.
func TestDerive(t *testing.T) {
	const (
		one = "a.w:4f b.w:4f b.id:3"
		two = "c.norm:4f c.w:4f=c.norm"
	)
	for _, c := range []struct {
		name  string
		rules string
		want  string // FILE: KEY DTYPE BYTES …
	}{
		{"nothing", ``, "1: a.w F32 16, b.w F32 16, b.id U8 3 | 2: c.norm F32 16, c.w F32 16"},
		{"include", `select.include = ["b"]`, "1: b.w F32 16, b.id U8 3"},
		{"include two", `select.include = ["*.id", "a.*"]`, "1: a.w F32 16, b.id U8 3"},
		{"exclude", `select.exclude = ["*.w"]`, "1: b.id U8 3 | 2: c.norm F32 16"},
		{"both", `select = {include = ["*.w"], exclude = ["a.w", "b.w"]}`, "2: c.w F32 16"},
		{"cast", `cast.to = "bf16"`, "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8, c.w BF16 8"},
		{"keep", `cast = {to = "f16", keep = ["*norm*", "a"]}`, "1: a.w F32 16, b.w F16 8, b.id U8 3 | 2: c.norm F32 16, c.w F16 8"},
		{"tied", `tied = "drop"`, "1: a.w F32 16, b.w F32 16, b.id U8 3 | 2: c.norm F32 16"},
		{"tied after a cast of both", "tied = 'drop'\ncast.to = 'bf16'", "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8"},
		{"not tied after a cast of one", "tied = 'drop'\ncast = {to = 'bf16', keep = ['c.w']}", "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8, c.w F32 16"},
		{"the tied one alone", "tied = 'drop'\nselect.include = ['c.w']", "2: c.w F32 16"},
		{"merge", `shards.merge = true`, "model.safetensors: a.w F32 16, b.w F32 16, b.id U8 3, c.norm F32 16, c.w F32 16"},
		{"one file", `shards.size = "1MiB"`, "model.safetensors: a.w F32 16, b.w F32 16, b.id U8 3, c.norm F32 16, c.w F32 16"},
		{"files of 32", `shards.size = 32`, "1: a.w F32 16, b.w F32 16 | 2: b.id U8 3, c.norm F32 16 | 3: c.w F32 16"},
		{"files of 4", `shards.size = 4`, "1: a.w F32 16 | 2: b.w F32 16 | 3: c.norm F32 16 | 4: c.w F32 16 | 5: b.id U8 3"},
		{"files after the cast", "cast.to = 'bf16'\nshards.size = 19", "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8, c.w BF16 8"},
	} {
		p, err := New(shards(one, two), ruled(t, c.rules))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		set := p.Sets[0]
		var files []string
		for i, f := range set.Files {
			name := strings.TrimSuffix(f.Name, fmt.Sprintf("-of-%05d.safetensors", max(len(set.Files), 2)))
			var entries []string
			for k, e := range f.Entries {
				entries = append(entries, fmt.Sprint(e.Key, " ", e.DType, " ", e.Data.Size()))
				if p.Shown.Sets[0].Shards[i].Tensors[k] != e.Tensor {
					t.Errorf("%s: %s is another tensor in the model that is shown", c.name, e.Key)
				}
			}
			files = append(files, strings.TrimPrefix(name, "model-0000")+": "+strings.Join(entries, ", "))
		}
		if got := strings.Join(files, " | "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		if hasIndex := set.Index != ""; hasIndex != (files[0][0] != 'm') {
			t.Errorf("%s: index %q", c.name, set.Index)
		}
		if p.Model.Count() != 5 || p.Model.Sets[0].Shards[0].Tensors[0].DType != checkpoint.F32 {
			t.Errorf("%s: the source is not what it was", c.name)
		}
	}
}

// TestDeriveErrors has rules that fit nothing.
func TestDeriveErrors(t *testing.T) {
	for _, c := range []struct {
		rules string
		want  string
	}{
		{`select.include = ["a.x"]`, `r.toml:1:19: "a.x" matches no tensor of the view: did you mean a.w?`},
		{`select.exclude = ["z"]`, `r.toml:1:19: "z" matches no tensor of the view`},
		{`select.exclude = ["*"]`, "m: include and exclude leave no tensor"},
		{`cast = {to = "bf16", keep = ["norm"]}`, `r.toml:1:30: "norm" matches no tensor of the view`},
	} {
		if _, err := New(shards("a.w:4f b.w:4f"), ruled(t, c.rules)); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.rules, err, c.want)
		}
	}
}

// TestCameApart has what config.json says of embeddings that are tied in the source.
func TestCameApart(t *testing.T) {
	for _, c := range []struct {
		rules string
		apart bool
	}{
		{"cast.to = 'bf16'", false},
		{"cast = {to = 'bf16', keep = ['head.*']}", true},
		{"select.exclude = ['head.*']\ncast.to = 'bf16'", false},
		{"[[tensor]]\nfrom = 'emb.w'\nto = ['q', 'k']\ndo = ['chunk 0 2']", true}, // and head.w is whole
		{"[[tensor]]\nfrom = 'qkv.w'\nto = ['q', 'k']\ndo = ['chunk 0 2']", false},
	} {
		m := shards("emb.w:4f head.w:4f=emb.w qkv.w:6f")
		m.Files = []checkpoint.File{{Path: "config.json", Source: source.NewMemory("config.json", segment.Literal(`{"tie_word_embeddings": true}`), nil)}}
		p, err := New(m, ruled(t, c.rules))
		if err != nil {
			t.Errorf("%s: %v", c.rules, err)
			continue
		}
		f := p.Shown.Files[0]
		text := make([]byte, f.Size())
		f.ReadAt(text, 0)
		if says := strings.Contains(string(text), "false"); says != c.apart {
			t.Errorf("%s: %s", c.rules, text)
		}
	}
}

// TestEdit changes values of a JSON text and not a byte more.
func TestEdit(t *testing.T) {
	m := shards("a.w:4f")
	for _, c := range [][2]string{
		{`{"torch_dtype": "float32", "x": [1, "torch_dtype"]}`, `{"torch_dtype": "bfloat16", "x": [1, "torch_dtype"]}`},
		{`{"dtype":"float16","text_config":{"dtype" : "float32" ,"n":1.0}}`, `{"dtype":"bfloat16","text_config":{"dtype" : "bfloat16" ,"n":1.0}}`},
		{`{"a\"b":"x\\", "dtype":"float32"}`, `{"a\"b":"x\\", "dtype":"bfloat16"}`},
		{`{"dtype":null,"torch_dtype":"auto","y":{"dtype":["float32"]}}`, `{"dtype":null,"torch_dtype":"auto","y":{"dtype":["float32"]}}`},
		{`{"dtype":"bfloat16"}`, `{"dtype":"bfloat16"}`},
		{`{"dtype":"float32"`, `{"dtype":"float32"`},
	} {
		m.Files = []checkpoint.File{
			{Path: "config.json", Source: source.NewMemory("config.json", segment.Literal(c[0]), nil)},
			{Path: "sub/config.json", Source: source.NewMemory("sub/config.json", segment.Literal(c[0]), nil)},
		}
		p, err := New(m, ruled(t, `cast.to = "bf16"`))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{c[1], c[0]} {
			f := p.Shown.Files[i]
			got := make([]byte, f.Size())
			f.ReadAt(got, 0)
			if string(got) != want {
				t.Errorf("%s: %s becomes %s", f.Path, c[0], got)
			}
		}
	}
}
