package view

import (
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/rules"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// model is a file of one-byte tensors with the given candidates for the root.
func model(candidates string, keys ...string) *checkpoint.Model {
	c := &checkpoint.Checkpoint{
		Source: source.NewMemory("x.pt", segment.Literal(nil), nil), Separator: ".", Framework: "pt", Verbatim: true, Notes: []string{"a fact"},
	}
	for _, key := range strings.Fields(candidates) {
		c.Candidates = append(c.Candidates, checkpoint.Candidate{Key: key, What: "state dict"})
	}
	for _, key := range keys {
		t := &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Data: segment.Literal{1}}
		if strings.HasPrefix(key, "hidden") {
			t.Hidden = "for a test"
		}
		c.Tensors = append(c.Tensors, t)
	}
	return checkpoint.Single("x.pt", c)
}

func TestRoot(t *testing.T) {
	keys := []string{"model.a", "model.b.c", "ema.a", "modelx", "epoch", "hidden.x"}
	for _, c := range []struct {
		candidates, rule string
		want             string // keys of the view, or what the error says
		note             string
	}{
		{"", "", "model.a model.b.c ema.a modelx epoch", ""},
		{"model", "", "a b.c", "x.pt: the view takes the state dict at model (--root . takes everything)"},
		{"model", ".", "model.a model.b.c ema.a modelx epoch", ""},
		{"model", "ema", "a", ""},
		{"model", "ema.", "a", ""},
		{"model", "model.b", "c", ""},
		{"ema model", "", "model.a model.b.c ema.a modelx epoch", "x.pt: the view takes everything: choose one of ema, model by --root"},
		{"model", "mode", `x.pt: no tensor lies below "mode": choose one of "ema", "hidden", "model", "."`, ""},
		{"model", "hidden", `no tensor lies below "hidden"`, ""},
	} {
		p, err := New(model(c.candidates, keys...), Rules{File: &rules.File{Root: rules.Flag("--root", c.rule)}})
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q, --root %q: %v", c.candidates, c.rule, err)
			}
			continue
		}
		var got []string
		for _, e := range p.Sets[0].Files[0].Entries {
			got = append(got, e.Key)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, --root %q: the view has %q, want %q", c.candidates, c.rule, got, c.want)
		}
		want := []string{"x.pt: a fact"}
		if c.note != "" {
			want = append(want, c.note)
		}
		if notes := p.Notes(); !slices.Equal(notes, want) {
			t.Errorf("%q, --root %q: notes %q, want %q", c.candidates, c.rule, notes, want)
		}
	}
}

// TestVerbatim has views that are the source as it is, and views that are not.
func TestVerbatim(t *testing.T) {
	for _, c := range []struct {
		keys []string
		rule string
		want bool
	}{
		{[]string{"a.x", "b"}, "", true}, {[]string{"a.x", "b"}, ".", true}, {[]string{"a.x"}, "a", false}, {[]string{"a", "hidden"}, "", false},
	} {
		p, err := New(model("", c.keys...), Rules{File: &rules.File{Root: rules.Flag("--root", c.rule)}})
		if err != nil {
			t.Fatal(err)
		}
		if f := p.Sets[0].Files[0]; f.Verbatim != c.want || f.Metadata["format"] != "pt" {
			t.Errorf("%q, --root %q: verbatim %v, metadata %v", c.keys, c.rule, f.Verbatim, f.Metadata)
		}
	}
}
