package rules

import (
	"fmt"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// house is an Env with a config.json, and a source b with some tensors.
type house struct {
	config  string
	sources map[string]ops.Array
}

func (h house) Config(string) ([]byte, error) {
	if h.config == "" {
		return nil, nil
	}
	return []byte(h.config), nil
}

func (h house) Tensor(source, _, key string) (ops.Array, bool, error) {
	a, ok := h.sources[source+":"+key]
	return a, ok, nil
}

func (h house) Lora(_, _, _ string, w ops.Array, _ float64) (ops.Array, error) { return w, nil }

func (h house) Dequantize(_ string, parts []Key, to checkpoint.DType) (ops.Array, error) {
	return parts[0].To(to)
}

// array is counted float32: 0, 1, 2 …
func array(shape ...int64) ops.Array {
	n, _ := segment.Count(shape)
	data := make(segment.Literal, 4*n)
	for i := range n {
		data[4*i] = byte(i)
	}
	return ops.Array{DType: checkpoint.F32, Shape: shape, Data: data}
}

// keysOf are keys from words: KEY, or KEY:2x3, with SET@ in front where it has one.
func keysOf(text string) []Key {
	var all []Key
	for _, w := range strings.Fields(text) {
		name, dims, _ := strings.Cut(w, ":")
		k := Key{Name: name, Array: array(2)}
		if set, rest, ok := strings.Cut(name, "@"); ok {
			k.Set, k.Name = set, rest
		}
		if dims != "" {
			var shape []int64
			for _, d := range strings.Split(dims, "x") {
				var n int64
				fmt.Sscan(d, &n)
				shape = append(shape, n)
			}
			k.Array = array(shape...)
		}
		all = append(all, k)
	}
	return all
}

// show are results as words, with the inputs of those that a rule made.
func show(keys []Key, results []Result) string {
	var words []string
	for _, r := range results {
		w := r.Name
		if r.Set != "" {
			w = r.Set + "@" + w
		}
		if r.Rule != nil {
			var lists []string
			for _, list := range r.Inputs {
				var names []string
				for _, i := range list {
					names = append(names, keys[i].Name)
				}
				lists = append(lists, strings.Join(names, "+"))
			}
			w += strings.ReplaceAll(checkpoint.ShapeText(r.Shape), ", ", "x") + "<" + strings.Join(lists, "|")
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// TestApply has rules, keys, and what becomes of them, or the error.
func TestApply(t *testing.T) {
	env := house{config: `{"heads": 2, "text": {"kv": 1, "x": "y"}, "half": 0.5}`, sources: map[string]ops.Array{"b:a.w": array(2, 3), "b:i": array(3)}}
	const experts = "x.e.0.g:2x3 x.e.0.u:2x3 x.e.1.g:2x3 x.e.1.u:2x3 x.norm"
	for _, c := range []struct {
		name, file, keys, want string
	}{
		{"nothing", "", "a b", "a b"},
		{"prefix", "[[rename]]\nfrom = 'module.{k*}'\nto = '{k}'", "module.a.b module.c d", "a.b c d"},
		{"all in turn", "[[rename]]\nfrom='a.{k*}'\nto='b.{k}'\n[[rename]]\nfrom='b.{k*}'\nto='c.{k}'", "a.x b.y", "c.x c.y"},
		{"swap", "[[rename]]\nfrom='a.{k*}'\nto='t.{k}'\n[[rename]]\nfrom='b.{k*}'\nto='a.{k}'\n[[rename]]\nfrom='t.{k*}'\nto='b.{k}'", "a.x b.x", "b.x a.x"},
		{"expression", "[[rename]]\nfrom = '/^(module\\.|_orig_mod\\.)+/'\nto = ''", "module._orig_mod.a _orig_mod.b c", "a b c"},
		{"first match alone", "[[rename]]\nfrom='/x/'\nto='y'", "a.x.x", "a.y.x"},
		{"all matches", "[[rename]]\nfrom='/x/g'\nto='y'", "a.x.x", "a.y.y"},
		{"groups", "[[rename]]\nfrom='/^(\\w+)\\.(?P<n>\\d+)/'\nto='h.${n}.$1$$'", "a.12.w", "h.12.a$.w"},
		{"braces", "[[rename]]\nfrom='a{{{x}}}'\nto='{x}'", "a{b}", "b"},
		{"a part ends at a slash", "[[rename]]\nfrom='{x*}/{y}'\nto='{y}.{x}'", "s/d/k", "k.s/d"},
		{"each set by itself", "[[rename]]\nfrom='m.{k*}'\nto='{k}'", "unet@m.a vae@m.a", "unet@a vae@a"},
		{"optional", "[[rename]]\nfrom='z.{k*}'\nto='{k}'\noptional=true\n[[tensor]]\nfrom='z'\nto='y'\noptional=true", "a", "a"},
		{"inline", "rename = [{from='a', to='b'}, {from='b', to='c'}]", "a", "c"},

		{"collect", "[[tensor]]\nfrom=['{p*}.e.{e#}.g','{p*}.e.{e#}.u']\nto='{p}.gu'\ndo=['stack 0','concat 1']", experts,
			"x.gu[2x4x3]<x.e.0.g+x.e.1.g|x.e.0.u+x.e.1.u x.norm"},
		{"natural order", "[[tensor]]\nfrom='e.{e#}'\nto='e'\ndo=['stack 0']", "e.10 e.2 e.1 e.0 e.3 e.4 e.5 e.6 e.7 e.8 e.9",
			"e[11x2]<e.0+e.1+e.2+e.3+e.4+e.5+e.6+e.7+e.8+e.9+e.10"},
		{"collect a list", "[[tensor]]\nfrom='{p*}.{q|k|v}.w'\nto='{p}.qkv'\ndo=['concat 0']", "a.k.w:2x3 a.v.w:2x3 a.q.w:4x3", "a.qkv[8x3]<a.q.w+a.k.w+a.v.w"},
		{"loop over a list", "[[tensor]]\nfrom='{p*}.{q|k|v}.w'\nto='{p}.self.{q|k|v}'\ndo=['transpose']", "a.q.w:2x3 a.k.w:2x3", "a.self.q[3x2]<a.q.w a.self.k[3x2]<a.k.w"},
		{"spread over a list", "[let]\nh='config.heads'\n[[tensor]]\nfrom='{p*}.qkv'\nto='{p}.{q|k|v}'\ndo=['reshape h 3 -1 in','unstack 1','reshape -1 in']", "a.qkv:12x5",
			"a.q[4x5]<a.qkv a.k[4x5]<a.qkv a.v[4x5]<a.qkv"},
		{"spread over numbers", "[[tensor]]\nfrom='e'\nto='e.{i#}'\ndo=['unstack 0']", "e:3x2 f", "e.0[2]<e e.1[2]<e e.2[2]<e f"},
		{"spread over both", "[[tensor]]\nfrom='{p*}.gu'\nto=['{p}.e.{e#}.g','{p}.e.{e#}.u']\ndo=['chunk 1 2','unstack 0']", "x.gu:2x4x3",
			"x.e.0.g[2x3]<x.gu x.e.1.g[2x3]<x.gu x.e.0.u[2x3]<x.gu x.e.1.u[2x3]<x.gu"},
		{"split", "[let]\nk='config.text.kv'\n[[tensor]]\nfrom='a'\nto=['q','k','v']\ndo=['split 0 -1 k 1']", "a:5x2", "q[3x2]<a k[1x2]<a v[1x2]<a"},
		{"pattern by pattern", "[[tensor]]\nfrom=['a.{i#}','b.{i#}']\nto=['x.{i}','y.{i}']\ndo=['transpose']", "a.0:2x3 b.0:4x5", "x.0[3x2]<a.0|b.0 y.0[5x4]<a.0|b.0"},
		{"one input of all runs", "[[tensor]]\nfrom=['a.{i#}','s']\nto='x.{i}'\ndo=['concat 0']", "a.0 a.1 s", "x.0[4]<a.0|s x.1[4]<a.1|s"},
		{"first match takes it", "[[tensor]]\nfrom='a.{k*}'\nto='x.{k}'\n[[tensor]]\nfrom='{k*}'\nto='y.{k}'", "a.b c", "x.b[2]<a.b y.c[2]<c"},
		{"keep", "[[tensor]]\nfrom='a'\nto='b'\nkeep=true\n[[tensor]]\nfrom='a'\nto='c'", "a", "b[2]<a c[2]<a"},
		{"alias", "[[tensor]]\nfrom='e.w'\nto='h.w'\ndo='alias'", "e.w", "h.w[2]<e.w e.w"},
		{"after renames", "[[rename]]\nfrom='m.{k*}'\nto='{k}'\n[[tensor]]\nfrom='a'\nto='b'", "m.a", "b[2]<m.a"},
		{"expression in a rule", "[[tensor]]\nfrom='/(.*)\\.e(\\d+)/'\nto='$1.e'\ndo=['stack -1']", "p.e0 p.e1", "p.e[2x2]<p.e0+p.e1"},
		{"a part", "[[tensor]]\nfrom='a'\nto='a'\ndo=['slice 0 1:','slice 1 :-1','slice 1 ::2']", "a:4x6", "a[3x3]<a"},
		{"a rank", "[let]\nr=1\n[[tensor]]\nfrom='a'\nto='a'\ndo='shard 0 r of 2'", "a:4x6", "a[2x6]<a"},
		{"fused ranks", "[[tensor]]\nfrom='a'\nto='a'\ndo='shard 0 0 of 2 4 2'", "a:6x1", "a[3x1]<a"},
		{"gates", "[[tensor]]\nfrom='a'\nto='a'\ndo='reorder 0 3 1 0 2'", "a:6x1", "a[6x1]<a"},
		{"arithmetic", "[let]\nw='config.half'\n[sources]\nb='../b'\n[[tensor]]\nfrom='{k*}.w'\nto='{k}.w'\ndo=['scale 0.3','add b:{k}.w w']", "a.w:2x3 i", "a.w[2x3]<a.w i"},
		{"a key with a space", "[sources]\nb='b'\n[[tensor]]\nfrom='a.w'\nto='a.w'\ndo=[\"add 'b:a.w' 2\"]", "a.w:2x3", "a.w[2x3]<a.w"},
		{"weight norm", "[[tensor]]\nfrom=['{p*}.g','{p*}.v']\nto='{p}.w'\ndo='weight_norm'", "a.g:2x1 a.v:2x3", "a.w[2x3]<a.g|a.v"},

		{"two keys of one name", "[[rename]]\nfrom='a.{k*}'\nto='{k}'", "a.x x", `v:3:4: both "a.x" and "x" would be called "x"`},
		{"a name of a rule", "[[tensor]]\nfrom='a'\nto='b'", "a b", `v:3:4: two tensors would be called "b": what is made of "a", and what is made of "b"`},
		{"not there", "[[rename]]\nfrom='z.{k*}'\nto='{k}'", "a", `v:2:6: "z.{k*}" matches no key: one that there is at this point is "a"; optional = true allows it`},
		{"rule not there", "[[tensor]]\nfrom='z.{k*}'\nto='{k}'", "a", `v:2:6: "z.{k*}" matches no key`},
		{"the likeliest", "[[rename]]\nfrom='model.layer.{i#}'\nto='{i}'", "lm_head model.embed model.layers.0", `one that there is at this point is "model.layers.0"`},
		{"nothing left", "[[rename]]\nfrom='/.*/'\nto=''", "a", `v:3:4: nothing would be left of the key "a"`},
		{"a gap", "[[tensor]]\nfrom='e.{e#}'\nto='e'\ndo=['stack 0']", "e.0 e.2", `v:2:6: "e.{e#}" has 2 keys, and none for {e#} = "1"`},
		{"begins late", "[[tensor]]\nfrom='e.{e#}'\nto='e'\ndo=['stack 0']", "e.2 e.3", `none for {e#} = "0"`},
		{"a word is missing", "[[tensor]]\nfrom='{p*}.{q|k|v}'\nto='{p}'\ndo=['stack 0']", "a.q a.k", `v:2:6: "{p*}.{q|k|v}" for p = "a" has 2 keys, and none for {q|k|v} = "v"`},
		{"ragged", "[[tensor]]\nfrom=['{p*}.{e#}.g','{p*}.{e#}.u']\nto='{p}'\ndo=['stack 0','concat 0']", "x.0.g x.1.g x.0.u",
			`"{p*}.{e#}.u" has 1 key for p = "x", and the 2 of {e#} for p = "x" are others: a rule collects the same each time`},
		{"no counterpart", "[[tensor]]\nfrom=['{p*}.g','{p*}.u']\nto='{p}'\ndo=['concat 0']", "x.g x.u y.g", `v:2:16: "{p*}.u" matches no key for p = "y", which "y.g" needs`},
		{"a counterpart alone", "[[tensor]]\nfrom=['{p*}.g','{p*}.u']\nto='{p}'\ndo=['concat 0']", "x.g x.u y.u", `v:2:7: "{p*}.g" matches no key that goes with "y.u"`},
		{"does not divide", "[[tensor]]\nfrom='a'\nto='b'\ndo='reshape 3 -1'", "a:4x4", `v:4:4: "reshape 3 -1", of "a": reshape: [4, 4] has 16 elements`},
		{"words and parts", "[[tensor]]\nfrom='a'\nto='b.{q|k|v}'\ndo='unstack 0'", "a:4x4", `v:3:4: {q|k|v} has 3 words, and 4 tensors come of "a"`},
		{"keys and parts", "[[tensor]]\nfrom='a'\nto=['b','c']\ndo='unstack 0'", "a:4x4", `v:4:4: "unstack 0" makes 4 tensors, and to has 2 keys`},
		{"no such number", "[let]\nh='config.head'\n[[tensor]]\nfrom='a'\nto='b'\ndo='reshape h -1'", "a", `v:2:3: config.json has no "head", did you mean "heads"?`},
		{"not a number", "[let]\nh='config.text.x'\n[[tensor]]\nfrom='a'\nto='b'\ndo='reshape h -1'", "a", `v:2:3: "text.x" of config.json is not a number`},
		{"not whole", "[let]\nh='config.half'\n[[tensor]]\nfrom='a'\nto='b'\ndo='reshape h -1'", "a", `v:6:13: "h" is 0.5, and a whole number is needed`},
		{"not in the source", "[sources]\nb='b'\n[[tensor]]\nfrom='{k*}'\nto='{k}'\ndo='add b:{k}'", "z", `v:6:9: source b has no tensor "z", which goes with "z"`},
		{"another shape", "[sources]\nb='b'\n[[tensor]]\nfrom='a.w'\nto='a.w'\ndo='add b:i'", "a.w:2x3", `v:6:9: "a.w" is F32 [2, 3], and what goes with it in source b is F32 [3]`},
		{"many keys of one name", "[[rename]]\nfrom='/./g'\nto='$0$0$0$0$0$0$0$0'\n[[rename]]\nfrom='/./g'\nto='$0$0$0$0$0$0$0$0'\n[[rename]]\nfrom='/./g'\nto='$0$0$0$0$0$0$0$0'", strings.Repeat("k", 100), `v:9:4: "kkk`},
	} {
		f, err := Parse("v", []byte(c.file))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		keys := keysOf(c.keys)
		results, err := f.Apply(keys, env)
		if err != nil {
			if !strings.HasPrefix(c.want, "v:") && !strings.Contains(c.want, " has ") && !strings.HasPrefix(c.want, "none") && !strings.HasPrefix(c.want, "one ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
			}
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
				t.Errorf("%s: %d bytes, not a line: %v", c.name, len(err.Error()), err)
			}
			continue
		}
		if got := show(keys, results); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// TestParseRefuses has files that are no rules, and what is said of them.
func TestParseRefuses(t *testing.T) {
	tensor := func(lines string) string { return "[[tensor]]\n" + lines }
	for _, c := range []struct{ file, want string }{
		{"a = 1\n b", `v:2:2: it is not TOML: `},
		{"[cast]\nto='bf16'\nto='f16'", `v:3:1: it is not TOML: key to is already defined`},
		{"[cast]\nkep=['a']", `v:2:1: [cast] has no "kep", did you mean "keep"?`},
		{"[zzz]\na=1", `v:1:2: a file of rules has no "zzz": it has root, dequantize, tied, let`},
		{"[cast]\nto=16", `v:2:4: this is a dtype: bf16`},
		{"[cast]\nto='int8'", `v:2:4: this is a dtype: bf16`},
		{"[cast]\noverflow='wrap'", `v:2:10: this is "saturate" or "nan"`},
		{"cast='bf16'", `v:1:6: this is a table: write [cast]`},
		{"rename={from='a',to='b'}", `v:1:8: this is a list of tables: write [[rename]]`},
		{"[shards]\nsize='5 GX'", `v:2:6: this is a size: 5GB`},
		{"[shards]\nsize='5GB'\nmerge=true", `v:3:7: shards of a size`},
		{"root=1", `v:1:6: this is a text`},
		{"tied='maybe'", `v:1:6: this is "keep" or "drop"`},
		{"dequantize='f8_e4m3'", `v:1:12: this is true, or the dtype`},
		{"[select]\ninclude=[1]", `v:2:10: this is a text, or a list of texts`},
		{"[select]\ninclude=[['a']]", `v:2:1: a list of lists is not part of any rule`},
		{"[let]\nin=1", `v:2:4: "in" cannot be the name of a number`},
		{"[let]\nh='heads'", `v:2:3: this is a number, or the place of one in config.json`},
		{"[let]\nh=inf", `v:2:3: this is a number`},
		{"[sources]\nbase='x'", `v:2:6: "base" is the source of the command line`},
		{"[sources]\nb={kind='peft'}", `v:2:3: this is a path, or a table that has a path`},
		{"[sources]\nb={path='x',kind='lora'}", `v:2:18: this is "weights" or "peft" or "kohya" or "diffusers"`},
		{"[sources]\nb='x'", `v:2:3: no step has a tensor of source "b"`},
		{"[[lora]]\nweight=1", `v:1:3: [[lora]] needs the path of an adapter`},
		{"[[rename]]\nfrom='a'", `v:1:3: [[rename]] needs from and to`},
		{"[[rename]]\nfrom='{a}{b}'\nto='{a}'", `v:2:6: nothing stands between {a} and {b}`},
		{"[[rename]]\nfrom='{a}.{a}'\nto='{a}'", `v:2:6: {a} stands twice`},
		{"[[rename]]\nfrom='x.{a'\nto='b'", `v:2:9: a brace is not closed`},
		{"[[rename]]\nfrom='x.a}'\nto='b'", `v:2:10: a brace is closed that was not opened`},
		{"[[rename]]\nfrom='x.{a-b}'\nto='b'", `v:2:9: "{a-b}" is not a placeholder`},
		{"[[rename]]\nfrom='x.{a|b|a}'\nto='b'", `v:2:9: the words of {a|b|a} are not all there`},
		{"[[rename]]\nfrom='x.{a}'\nto='{b}'", `v:3:4: {b} stands in "{b}" and not in "x.{a}"`},
		{"[[rename]]\nfrom='/(/'\nto='b'", `v:2:6: "/(/" is not a regular expression of RE2: missing closing )`},
		{"[[rename]]\nfrom='/(?=a)/'\nto='b'", `v:2:6: "/(?=a)/" is not a regular expression of RE2`},
		{"[[rename]]\nfrom='/((a{100}){100}){10}/'\nto='b'", `v:2:6: `},
		{"[[rename]]\nfrom='/([a-z]bcdefghijklmnopq){900}/'\nto='b'", `v:2:6: the regular expression "/([a-z]bcdefghijklmnopq){900}/" is too large`},
		{"[[rename]]\nfrom='/a/'\nto='$2'", `v:3:4: $2 stands in "$2" and not in "/a/"`},
		{"[[rename]]\nfrom=''\nto='b'", `v:2:6: this pattern is empty`},
		{tensor("from='a'\nto='b'\ndo=['stak 0']"), `v:4:6: there is no operator "stak", did you mean "stack"?`},
		{tensor("from='a'\nto='b'\ndo=['fnord']"), `v:4:6: there is no operator "fnord": there are add, `},
		{tensor("from='a'\nto='b'\ndo=['chunk 0']"), `v:4:5: "chunk 0" has 1 argument: it is written chunk DIM N`},
		{tensor("from='a'\nto='b'\ndo=['transpose 0 1']"), `v:4:5: "transpose 0 1" has 2 arguments`},
		{tensor("from='a'\nto='b'\ndo=['reshape h -1']"), `v:4:14: [let] has no number "h"`},
		{tensor("from='a'\nto='b'\ndo=['reshape 2.5']"), `v:4:14: "2.5" is not a whole number`},
		{tensor("from='a'\nto='b'\ndo=['reshape 2+3']"), `v:4:14: "2+3" is neither a number nor a name`},
		{tensor("from='a'\nto='b'\ndo=['scale nan']"), `v:4:12: "nan" is not a number that can be counted with`},
		{tensor("from='a'\nto='b'\ndo=['add {k}']"), `v:4:10: "{k}" is not a tensor of a source`},
		{tensor("from='a'\nto='b'\ndo=['add c:{k}']"), `v:4:10: [sources] has no "c"`},
		{tensor("from='a'\nto='b'\ndo=['add base:k']"), `v:4:10: a tensor of the base is an input of the rule`},
		{tensor("from='a'\nto='b'\ndo=['lora c']"), `v:4:11: [sources] has no "c"`},
		{tensor("from='a'\nto='b'\ndo=['cast int8']"), `v:4:11: "int8" is not a dtype that tensors can be cast to`},
		{tensor("from='a'\nto='b'\ndo=['shard 0 1 off 2']"), `v:4:16: "off" stands where the word of is to stand`},
		{tensor("from='a'\nto='b'\ndo=[\"add 'b:x\"]"), `v:4:10: a quote is not closed`},
		{tensor("from='a.{e#}'\nto='b'"), `v:2:6: {e#} stands in from alone`},
		{tensor("from='a'\nto='b.{e#}'"), `v:3:4: {e#} stands in to alone: take the tensor apart`},
		{tensor("from='a'\nto='b.{e}'"), `v:3:4: {e} stands in no pattern of from`},
		{tensor("from='a'\nto='b.{e#}.{f#}'\ndo=['unstack 0']"), `v:3:4: {e#} and {f#} are both in to alone`},
		{tensor("from='a.{e#}.{f#}'\nto='b'\ndo=['stack 0']"), `v:2:6: {e#} and {f#} stand in from alone`},
		{tensor("from=['a.{x}','b.{y}']\nto='{x}.{y}'\ndo=['concat 0']"), `v:2:7: no pattern of from has all of x, y`},
		{tensor("from='a'\nto='b'\ndo=['stack 0']"), `v:4:5: stack has one tensor to join`},
		{tensor("from='a'\nto='b'\ndo=['chunk 0 2']"), `v:4:5: chunk makes several tensors, and to has one key`},
		{tensor("from=['a','b']\nto='c'"), `v:3:4: from and the steps give 2 tensors, and to has 1 key`},
		{tensor("from='a'\nto='b'\ndo=['weight_norm']"), `v:4:5: weight_norm needs as many tensors as it is written for, and has 1`},
		{tensor("from='a'\nto='b'\ndo=['alias','transpose']"), `v:4:5: alias is a further name of one tensor`},
		{tensor("from='/a/g'\nto='b'"), `v:2:6: "/a/g" matches whole keys here`},
		{tensor("from='a\x1b[2J'\nto='b'"), `v:2:`},
		{strings.Repeat("#", maxFile+1), `v: it has 1048577 bytes, and a file of rules has at most 1048576`},
	} {
		_, err := Parse("v", []byte(c.file))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.100q:\n%v\nwant\n%s", c.file, err, c.want)
			continue
		}
		if said := err.Error(); strings.ContainsAny(said, "\n\x1b") || len(said) > 1000 {
			t.Errorf("%.100q: not a line: %q", c.file, said)
		}
	}
}
