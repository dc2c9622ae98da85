package view

import (
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/rules"
	"wfs/formats/segment"
)

// TestLacks says what a view does not have, in one line.
func TestLacks(t *testing.T) {
	tensor := func(key string, d checkpoint.DType, hidden string) *checkpoint.Tensor {
		return &checkpoint.Tensor{Key: key, DType: d, Hidden: hidden, Data: segment.Literal{1}}
	}
	omit := func(keys ...string) (all []checkpoint.Omitted) {
		for _, key := range keys {
			all = append(all, checkpoint.Omitted{Key: key, Reason: "no data"})
		}
		return all
	}
	plain, foreign := tensor("a.x", checkpoint.U8, ""), tensor("a.c", checkpoint.C128, "")
	for _, c := range []struct {
		tensors []*checkpoint.Tensor
		omitted []checkpoint.Omitted
		root    string
		want    string
	}{
		{[]*checkpoint.Tensor{plain}, nil, "", ""},
		{[]*checkpoint.Tensor{plain, tensor("h", checkpoint.U8, "non-persistent buffer")}, nil, "", ""},
		{[]*checkpoint.Tensor{plain, foreign}, nil, "", "the view lacks 1 tensor of C128, which safetensors does not have"},
		{[]*checkpoint.Tensor{plain}, omit("b.o"), "", `the view lacks "b.o" (no data)`},
		{[]*checkpoint.Tensor{plain}, omit("b.o"), "a", ""},
		{[]*checkpoint.Tensor{plain}, omit("a.o", "a.p"), "a", `the view lacks 2 values, such as "a.o" (no data)`},
		{[]*checkpoint.Tensor{plain, tensor("h", checkpoint.U8, checkpoint.PlainAttribute)}, nil, "", "the view lacks 1 tensor that a module has as a plain attribute"},
		{nil, nil, "", "the view is empty: the source holds no tensor"},
		{[]*checkpoint.Tensor{foreign}, nil, "", "the view is empty: it lacks 1 tensor of C128, which safetensors does not have"},
		{[]*checkpoint.Tensor{tensor("h", checkpoint.U8, "an optimizer's")}, nil, "", "the view is empty: it has none of the 1 tensor that the source holds"},
	} {
		m := model("")
		m.Sets[0].Shards[0].Tensors, m.Sets[0].Shards[0].Omitted = c.tensors, c.omitted
		p, err := New(m, Rules{File: &rules.File{Root: rules.Flag("--root", c.root)}})
		if err != nil {
			t.Fatal(err)
		}
		if p.Lacks != c.want {
			t.Errorf("%q, want %q", p.Lacks, c.want)
		}
		if said := strings.Join(p.Notes(), "\n"); c.want != "" && !strings.HasSuffix(said, "x.pt: "+c.want) {
			t.Errorf("notes %q", said)
		}
	}
}
