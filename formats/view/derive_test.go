package view

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
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

// TestDerive has what rules make of the tensors and files of a model.
func TestDerive(t *testing.T) {
	const (
		one = "a.w:4f b.w:4f b.id:3"
		two = "c.norm:4f c.w:4f=c.norm"
	)
	bf16 := Cast{To: checkpoint.BF16}
	for _, c := range []struct {
		name  string
		rules Rules
		want  string // FILE: KEY DTYPE BYTES …
	}{
		{"nothing", Rules{}, "1: a.w F32 16, b.w F32 16, b.id U8 3 | 2: c.norm F32 16, c.w F32 16"},
		{"include", Rules{Select: Select{Include: []string{"b"}}}, "1: b.w F32 16, b.id U8 3"},
		{"include two", Rules{Select: Select{Include: []string{"*.id", "a.*"}}}, "1: a.w F32 16, b.id U8 3"},
		{"exclude", Rules{Select: Select{Exclude: []string{"*.w"}}}, "1: b.id U8 3 | 2: c.norm F32 16"},
		{"both", Rules{Select: Select{Include: []string{"*.w"}, Exclude: []string{"a.w", "b.w"}}}, "2: c.w F32 16"},
		{"cast", Rules{Cast: bf16}, "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8, c.w BF16 8"},
		{"keep", Rules{Cast: Cast{checkpoint.F16, []string{"*norm*", "a"}}}, "1: a.w F32 16, b.w F16 8, b.id U8 3 | 2: c.norm F32 16, c.w F16 8"},
		{"tied", Rules{DropTied: true}, "1: a.w F32 16, b.w F32 16, b.id U8 3 | 2: c.norm F32 16"},
		{"tied after a cast of both", Rules{DropTied: true, Cast: bf16}, "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8"},
		{"not tied after a cast of one", Rules{DropTied: true, Cast: Cast{checkpoint.BF16, []string{"c.w"}}}, "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8, c.w F32 16"},
		{"the tied one alone", Rules{DropTied: true, Select: Select{Include: []string{"c.w"}}}, "2: c.w F32 16"},
		{"merge", Rules{Shards: Shards{Merge: true}}, "model.safetensors: a.w F32 16, b.w F32 16, b.id U8 3, c.norm F32 16, c.w F32 16"},
		{"one file", Rules{Shards: Shards{Size: 1 << 20}}, "model.safetensors: a.w F32 16, b.w F32 16, b.id U8 3, c.norm F32 16, c.w F32 16"},
		{"files of 32", Rules{Shards: Shards{Size: 32}}, "1: a.w F32 16, b.w F32 16 | 2: b.id U8 3, c.norm F32 16 | 3: c.w F32 16"},
		{"files of 4", Rules{Shards: Shards{Size: 4}}, "1: a.w F32 16 | 2: b.w F32 16 | 3: c.norm F32 16 | 4: c.w F32 16 | 5: b.id U8 3"},
		{"files after the cast", Rules{Cast: bf16, Shards: Shards{Size: 19}}, "1: a.w BF16 8, b.w BF16 8, b.id U8 3 | 2: c.norm BF16 8, c.w BF16 8"},
	} {
		p, err := New(shards(one, two), c.rules)
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
		rules Rules
		want  string
	}{
		{Rules{Select: Select{Include: []string{"a.x"}}}, `m: --include "a.x" matches no tensor of the view: did you mean a.w?`},
		{Rules{Select: Select{Exclude: []string{"z"}}}, `m: --exclude "z" matches no tensor of the view`},
		{Rules{Select: Select{Exclude: []string{"*"}}}, "m: --include and --exclude leave no tensor"},
		{Rules{Cast: Cast{checkpoint.BF16, []string{"norm"}}}, `m: --keep "norm" matches no tensor of the view`},
	} {
		if _, err := New(shards("a.w:4f b.w:4f"), c.rules); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v, want %s", c.rules, err, c.want)
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
		p, err := New(m, Rules{Cast: Cast{To: checkpoint.BF16}})
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
