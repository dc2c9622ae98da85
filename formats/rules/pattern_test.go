package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
)

// FuzzMatch holds the matcher against the regular expression that a pattern is, and what may
// a key says of it against both.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{
		{"{a}.{b*}.c", "x.y.z.c"}, {"{p*}.e.{n#}.w", "m.e.1.e.22.w"}, {"{q|k|kv}{n#}", "kv1"}, {"a{x}b{y}b", "aabbb"}, {"{x*}..{y*}", "....a"},
		{"/^(a|b)+\\.(c*)$/", "abab.cc"}, {"/(?i)Foo|bar/", "a.fOO"}, {"/x(?:y|zz)?é/", "xzzé"}, {"{x*}a{y*}a{z*}a{w*}", strings.Repeat("a", 60)}, {"{x}é{y}", "\xc3\xa9é\xff"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		p, err := newPattern(&value{text: text}, true)
		if err != nil {
			return
		}
		oracle := p.fallback
		if p.regex != nil {
			oracle = p.regex.re
		}
		want := oracle.FindStringSubmatch(key)
		got, ok := p.match(key, nil)
		if ok != (want != nil) || ok && !slices.Equal(got, want[1:]) && len(want) > 1 {
			t.Fatalf("%q on %q: %q, %v, the expression has %q", text, key, got, ok, want)
		}
		if p.regex == nil {
			return
		}
		rename, err := newPattern(&value{text: text}, false)
		if err != nil {
			return
		}
		if e := rename.regex; e.re.MatchString(key) && !e.may(key) {
			t.Fatalf("%q matches %q, and %q or %q has to be in it", text, key, e.prefix, e.needs)
		}
	})
}

// FuzzParse reads files that may be anything: an error is a line with a place, and rules go
// over keys without a panic.
func FuzzParse(f *testing.F) {
	f.Add("[let]\nh=2\n[[rename]]\nfrom='{a}.{b*}'\nto='{b}'\noptional=true\n[[tensor]]\nfrom='{p*}.{e#}'\nto='{p}.{q|k}'\ndo=['stack 0','reshape h -1 in','chunk 0 2']")
	f.Add("root='a'\ndequantize=true\ntied='drop'\n[sources]\nb={path='x',kind='peft'}\n[[tensor]]\nfrom='b.c'\nto='b.c'\ndo='lora b'\n[[lora]]\npath='l'\n[select]\ninclude='*'\n[cast]\nto='bf16'\nkeep=[]\n[shards]\nsize='1GB'")
	f.Add("a.b.c = {d=[{e=1}]}\n[[a.z]]\n[a.z.y]\n")
	keys := keysOf("a.0:4x4 a.1:4x4 b.c d.0.e:2x3 d.1.e:2x3")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("v", []byte(text))
		if err == nil {
			_, err = file.Apply(keys, house{config: `{"a":{"b":3}}`})
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || !regexp.MustCompile(`^v:(\d+:\d+:)? `).MatchString(err.Error())) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// TestMatchLimits has keys on which a search by trial would not end.
func TestMatchLimits(t *testing.T) {
	p, err := newPattern(&value{text: "{a*}a{b*}a{c*}a{d*}a{e*}a{f*}b"}, true)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 100 {
		if _, ok := p.match(strings.Repeat("a", 4000)+"cb", nil); !ok {
			t.Fatal("no match")
		}
		if _, ok := p.match(strings.Repeat("a.", 2000)+"c", nil); ok {
			t.Fatal("a match")
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("200 long keys took %v", took)
	}
}

func TestParseRename(t *testing.T) {
	for _, c := range []struct{ rule, key, want string }{
		{"strip:module.", "module.a", "a"}, {"strip:module.", "a.module.b", ""}, {"strip:module.", "module.", ""}, {"strip:a{x}", "a{x}b", "b"},
		{"s/a/b/", "a.a", "b.a"}, {"s/a/b/g", "a.a", "b.b"}, {"s|^model/|m.|", "model/x", "m.x"}, {`s/a\/b/c/`, "a/b", "c"},
		{`s/(.*)\.x\.(.*)/\2.y.\1/`, "p.x.q", "q.y.p"}, {`s/x+/<&>/g`, "axxbx", "a<xx>b<x>"}, {`s/x/\&/`, "x", "&"}, {`s/^/model./`, "w", "model.w"}, {`s/x/$$1/`, "x", "$1"},
		{`s/(?P<l>\d+)/h.${l}/`, "a.3", "a.h.3"}, {"s/z/b/", "a", ""},
	} {
		r, err := ParseRename("--rename", c.rule)
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if got, ok := r.apply(c.key, nil); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", c.rule, c.key, got, c.want)
		}
	}
	for rule, want := range map[string]string{
		"module.":  `--rename: "module." is not s/REGEX/NEW/, s/REGEX/NEW/g or strip:PREFIX`,
		"s/a/b":    `is not s/REGEX/NEW/`,
		"s/a/b/i":  `is not s/REGEX/NEW/`,
		"s//b/":    `is not s/REGEX/NEW/`,
		"strip:":   `--rename: strip: needs the prefix that goes`,
		"s/(/b/":   `is not a regular expression of RE2`,
		`s/a/\1/`:  `--rename: $1 stands in`,
		"s/a/{b}/": `--rename: {b} stands in`,
	} {
		if _, err := ParseRename("--rename", rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rule, err, want)
		}
	}
}

// TestWhy tells of a tensor that was renamed, joined and renamed again.
func TestWhy(t *testing.T) {
	f, err := Parse("v", []byte("[[rename]]\nfrom='m.{k*}'\nto='{k}'\n[[tensor]]\nfrom='{p*}.e.{e#}'\nto='{p}.e'\ndo=['stack 0']"))
	if err != nil {
		t.Fatal(err)
	}
	keys := keysOf("m.x.e.0 m.x.e.1 m.y")
	results, err := f.Apply(keys, house{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range results {
		got = append(got, results[i].Name)
		got = append(got, results[i].Why(keys)...)
	}
	want := []string{
		"x.e", `v:2:6: "m.x.e.0" is renamed to "x.e.0" by "m.{k*}" to "{k}"`, `v:2:6: "m.x.e.1" is renamed to "x.e.1" by "m.{k*}" to "{k}"`,
		`v:4:3: made by "{p*}.e.{e#}" to "{p}.e": stack 0, for p = "x"`,
		"y", `v:2:6: "m.y" is renamed to "y" by "m.{k*}" to "{k}"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

// TestWith has flags over a file.
func TestWith(t *testing.T) {
	f, err := Parse("v", []byte("root='a'\ntied='drop'\n[select]\nexclude='x'\n[cast]\nto='bf16'\n[[rename]]\nfrom='a'\nto='b'"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRename("--rename", "s/b/c/")
	if err != nil {
		t.Fatal(err)
	}
	both := f.With(&File{Root: Flag("--root", "."), Cast: Flag("--dtype", checkpoint.F16), Exclude: Globs("--exclude", []string{"y"}), Renames: []*Rename{r}})
	if both.Root.Value != "." || both.Tied.Value != Drop || both.Cast.Value != checkpoint.F16 || len(both.Exclude) != 2 || both.Exclude[1].Pos.String() != "--exclude" || len(f.Exclude) != 1 {
		t.Errorf("%+v", both)
	}
	if results, err := both.Apply(keysOf("a"), house{}); err != nil || results[0].Name != "c" {
		t.Errorf("%v, %v", results, err)
	}
}

// BenchmarkRenames is a plan of 100 000 keys by 50 renames, a half of them patterns and a half
// regular expressions, of which each key is changed by four.
func BenchmarkRenames(b *testing.B) {
	var keys []Key
	for layer := range 100 {
		for expert := range 333 {
			for _, w := range []string{"gate_proj", "up_proj", "down_proj"} {
				keys = append(keys, Key{Name: fmt.Sprintf("module._orig_mod.model.layers.%d.mlp.experts.%d.%s.weight", layer, expert, w), Array: ops.Array{DType: checkpoint.F32}})
			}
		}
	}
	f := &File{}
	add := func(text string) {
		r, err := ParseRename("--rename", text)
		if err != nil {
			b.Fatal(err)
		}
		f.Renames = append(f.Renames, r)
	}
	add("strip:module.")
	add("strip:_orig_mod.")
	add(`s/^model\.layers\.(\d+)\./transformer.h.$1./`)
	add(`s/\.(gate|up|down)_proj\./.$1./`)
	for i := range 23 {
		r, err := newRename(&value{text: fmt.Sprintf("transformer.h.{i#}.attention_%d.{x*}.weight", i)}, &value{text: "h.{i}.{x}"})
		if err != nil {
			b.Fatal(err)
		}
		f.Renames = append(f.Renames, r)
		add(fmt.Sprintf(`s/(\w+)\.norm_%d\.(\w+)$/$2.$1/`, i))
	}
	for _, r := range f.Renames {
		r.Optional = true
	}
	b.ReportMetric(float64(len(keys)), "keys")
	for b.Loop() {
		results, err := f.Apply(keys, house{})
		if err != nil || results[0].Name != "transformer.h.0.mlp.experts.0.gate.weight" {
			b.Fatal(results[0].Name, err)
		}
	}
}

// BenchmarkStack is the plan of a rule that stacks and joins 100 000 keys.
func BenchmarkStack(b *testing.B) {
	var keys []Key
	a := array(2, 2)
	for layer := range 200 {
		for expert := range 250 {
			for _, w := range []string{"gate_proj", "up_proj"} {
				keys = append(keys, Key{Name: fmt.Sprintf("model.layers.%d.mlp.experts.%d.%s.weight", layer, expert, w), Array: a})
			}
		}
	}
	f, err := Parse("v", []byte("[[tensor]]\nfrom=['{p*}.experts.{e#}.gate_proj.weight','{p*}.experts.{e#}.up_proj.weight']\nto='{p}.experts.gate_up_proj'\ndo=['stack 0','concat 1']"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if results, err := f.Apply(keys, house{}); err != nil || len(results) != 200 {
			b.Fatal(len(results), err)
		}
	}
}
