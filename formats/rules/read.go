package rules

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/quantity"
)

// Parse reads a file of rules. Its name stands in front of every error, with the line and
// the column.
func Parse(name string, text []byte) (*File, error) {
	root, err := parseDocument(name, text)
	if err != nil {
		return nil, err
	}
	r := &reading{}
	f := &r.file
	err = r.read(root, "a file of rules", []field{
		{"root", func(v *value) error { return setText(&f.Root, v) }},
		{"dequantize", r.dequantize},
		{"tied", func(v *value) error { return setWord(&f.Tied, v, Keep, Drop) }},
		{"let", r.lets},
		{"sources", r.sources},
		{"rename", each("[[rename]]", r.rename)},
		{"tensor", each("[[tensor]]", r.tensor)},
		{"lora", each("[[lora]]", r.lora)},
		{"select", within("[select]", r.selects)},
		{"cast", within("[cast]", r.cast)},
		{"shards", within("[shards]", r.shards)},
	})
	if err != nil {
		return nil, err
	}
	return f, r.check()
}

// reading is a file on its way to rules.
type reading struct{ file File }

// field is a name that a table may have, and what is done with its value.
type field struct {
	name string
	read func(*value) error
}

// read goes over the pairs of a table, in the order of the file. A name that is not among the
// fields is an error.
func (r *reading) read(t *table, what string, fields []field) error {
	for _, name := range t.names {
		v := t.pairs[name]
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			var names []string
			for _, f := range fields {
				names = append(names, f.name)
			}
			hint := meant(keys.Nearest(name, slices.Values(names)))
			if hint == "" {
				hint = ": it has " + strings.Join(names, ", ")
			}
			return v.pos.errorf("%s has no %s%s", what, quote(name), hint)
		}
		if err := fields[i].read(v); err != nil {
			return err
		}
	}
	return nil
}

// each reads the tables of a list: [[rename]].
func each(what string, read func(Pos, *table) error) func(*value) error {
	return func(v *value) error {
		if v.kind != unstable.Array {
			return v.pos.errorf("this is a list of tables: write %s", what)
		}
		for _, item := range v.list {
			if item.table == nil {
				return item.pos.errorf("this is a list of tables: write %s", what)
			}
			if err := read(item.table.pos, item.table); err != nil {
				return err
			}
		}
		return nil
	}
}

// within reads a table: [cast].
func within(what string, read func(*table) error) func(*value) error {
	return func(v *value) error {
		if v.table == nil {
			return v.pos.errorf("this is a table: write %s", what)
		}
		return read(v.table)
	}
}

func setText(s *Setting[string], v *value) error {
	if v.kind != unstable.String || v.text == "" {
		return v.pos.errorf("this is a text")
	}
	*s = Setting[string]{v.text, v.pos, true}
	return nil
}

func setWord(s *Setting[string], v *value, words ...string) error {
	if !slices.Contains(words, v.text) || v.kind != unstable.String {
		return v.pos.errorf("this is \"%s\"", strings.Join(words, `" or "`))
	}
	*s = Setting[string]{v.text, v.pos, true}
	return nil
}

func setTruth(s *Setting[bool], v *value) error {
	if v.kind != unstable.Bool {
		return v.pos.errorf("this is true or false")
	}
	*s = Setting[bool]{v.truth, v.pos, true}
	return nil
}

func setDType(s *Setting[checkpoint.DType], v *value) error {
	d, err := DType(v.text)
	if err != nil || v.kind != unstable.String {
		return v.pos.errorf("this is a dtype: bf16, f16, f32, f8_e4m3 or f8_e5m2")
	}
	*s = Setting[checkpoint.DType]{d, v.pos, true}
	return nil
}

// finite is a number that can be counted with.
func finite(v *value) (float64, error) {
	if v.kind != unstable.Integer && v.kind != unstable.Float || math.IsInf(v.number, 0) || math.IsNaN(v.number) {
		return 0, v.pos.errorf("this is a number")
	}
	return v.number, nil
}

// texts are the strings of a list, or one string.
func texts(v *value) ([]*value, error) {
	list := []*value{v}
	if v.kind == unstable.Array {
		list = v.list
	}
	for _, item := range list {
		if item.kind != unstable.String {
			return nil, item.pos.errorf("this is a text, or a list of texts")
		}
	}
	return list, nil
}

func setGlobs(globs *[]Glob, v *value) error {
	list, err := texts(v)
	for _, item := range list {
		*globs = append(*globs, Glob{item.text, item.pos})
	}
	return err
}

func (r *reading) dequantize(v *value) error {
	s := &r.file.Dequantize
	if v.kind == unstable.Bool {
		s.Pos, s.Set = v.pos, v.truth
		return nil
	}
	if err := setDType(s, v); err != nil || !slices.Contains([]checkpoint.DType{checkpoint.BF16, checkpoint.F16, checkpoint.F32}, s.Value) {
		return v.pos.errorf("this is true, or the dtype that quantized weights become: bf16, f16 or f32")
	}
	return nil
}

// name is what lets and sources are called.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func (r *reading) lets(v *value) error {
	if v.table == nil {
		return v.pos.errorf("this is a table of numbers: write [let]")
	}
	for _, key := range v.table.names {
		v := v.table.pairs[key]
		let := Let{Name: key, Pos: v.pos}
		if !name.MatchString(key) || key == inputWord || key == "of" {
			return v.pos.errorf("%s cannot be the name of a number: take letters, digits and _, not \"in\" and not \"of\"", quote(key))
		}
		if path, ok := strings.CutPrefix(v.text, "config."); ok && v.kind == unstable.String && path != "" {
			let.Config = path
		} else if n, err := finite(v); err == nil {
			let.Number = n
		} else {
			return v.pos.errorf("this is a number, or the place of one in config.json: \"config.num_attention_heads\"")
		}
		r.file.Lets = append(r.file.Lets, let)
	}
	return nil
}

func (r *reading) sources(v *value) error {
	if v.table == nil {
		return v.pos.errorf("this is a table of paths: write [sources]")
	}
	for _, key := range v.table.names {
		v := v.table.pairs[key]
		s := Source{Name: key, Kind: Weights, Pos: v.pos}
		switch {
		case key == baseSource:
			return v.pos.errorf("%q is the source of the command line: take another name", key)
		case !name.MatchString(key):
			return v.pos.errorf("%s cannot be the name of a source: take letters, digits, _ and -", quote(key))
		case v.kind == unstable.String:
			s.Path = v.text
		case v.table != nil:
			var path, kind, root Setting[string]
			err := r.read(v.table, "a source", []field{
				{"path", func(v *value) error { return setText(&path, v) }},
				{"kind", func(v *value) error { return setWord(&kind, v, Weights, PEFT, Kohya, Diffusers) }},
				{"root", func(v *value) error { return setText(&root, v) }},
			})
			if err != nil {
				return err
			}
			s.Path, s.Root = path.Value, root.Value
			if kind.Set {
				s.Kind = kind.Value
			}
			if root.Set && s.Kind != Weights {
				return root.Pos.errorf("an adapter has no root")
			}
		}
		if s.Path == "" {
			return v.pos.errorf("this is a path, or a table that has a path")
		}
		r.file.Sources = append(r.file.Sources, s)
	}
	return nil
}

func (r *reading) rename(pos Pos, t *table) error {
	var from, to *value
	var optional Setting[bool]
	err := r.read(t, "[[rename]]", []field{
		{"from", one(&from)}, {"to", one(&to)},
		{"optional", func(v *value) error { return setTruth(&optional, v) }},
	})
	switch {
	case err != nil:
		return err
	case from == nil || to == nil:
		return pos.errorf("[[rename]] needs from and to")
	}
	rule, err := newRename(from, to)
	if err != nil {
		return err
	}
	rule.Optional = optional.Value
	r.file.Renames = append(r.file.Renames, rule)
	return nil
}

// one is a field that is one text.
func one(to **value) func(*value) error {
	return func(v *value) error {
		if v.kind != unstable.String {
			return v.pos.errorf("this is a text")
		}
		*to = v
		return nil
	}
}

// many is a field that is a text or a list of them.
func many(to *[]*value) func(*value) error {
	return func(v *value) (err error) {
		if *to, err = texts(v); err == nil && len(*to) == 0 {
			err = v.pos.errorf("this list is empty")
		}
		return err
	}
}

func (r *reading) tensor(pos Pos, t *table) error {
	var from, to, do []*value
	var keep, optional Setting[bool]
	err := r.read(t, "[[tensor]]", []field{
		{"from", many(&from)}, {"to", many(&to)},
		{"do", func(v *value) (err error) { do, err = texts(v); return err }},
		{"keep", func(v *value) error { return setTruth(&keep, v) }},
		{"optional", func(v *value) error { return setTruth(&optional, v) }},
	})
	switch {
	case err != nil:
		return err
	case from == nil || to == nil:
		return pos.errorf("[[tensor]] needs from and to")
	}
	rule, err := newTensorRule(pos, from, to, do)
	if err != nil {
		return err
	}
	rule.Keep, rule.Optional = rule.Keep || keep.Value, optional.Value
	r.file.Tensors = append(r.file.Tensors, rule)
	return nil
}

func (r *reading) lora(pos Pos, t *table) error {
	lora := Lora{Weight: 1, Pos: pos}
	var path Setting[string]
	err := r.read(t, "[[lora]]", []field{
		{"path", func(v *value) error { return setText(&path, v) }},
		{"weight", func(v *value) (err error) { lora.Weight, err = finite(v); return err }},
	})
	switch {
	case err != nil:
		return err
	case !path.Set:
		return pos.errorf("[[lora]] needs the path of an adapter")
	}
	lora.Path = path.Value
	r.file.Loras = append(r.file.Loras, lora)
	return nil
}

func (r *reading) selects(t *table) error {
	return r.read(t, "[select]", []field{
		{"include", func(v *value) error { return setGlobs(&r.file.Include, v) }},
		{"exclude", func(v *value) error { return setGlobs(&r.file.Exclude, v) }},
	})
}

func (r *reading) cast(t *table) error {
	return r.read(t, "[cast]", []field{
		{"to", func(v *value) error { return setDType(&r.file.Cast, v) }},
		{"keep", func(v *value) error { return setGlobs(&r.file.CastKeep, v) }},
		{"overflow", func(v *value) error { return setWord(&r.file.Overflow, v, Saturate, NaN) }},
	})
}

func (r *reading) shards(t *table) error {
	s := &r.file.ShardSize
	return r.read(t, "[shards]", []field{
		{"size", func(v *value) error {
			n, err := quantity.ParseBytes(v.text)
			if err != nil || n < 1 || v.kind != unstable.String && v.kind != unstable.Integer {
				return v.pos.errorf("this is a size: 5GB, 500MB or 2GiB")
			}
			*s = Setting[int64]{n, v.pos, true}
			return nil
		}},
		{"merge", func(v *value) error { return setTruth(&r.file.Merge, v) }},
	})
}

// check holds the parts of a file against each other.
func (r *reading) check() error {
	f := &r.file
	if f.ShardSize.Set && f.Merge.Value {
		return f.Merge.Pos.errorf("shards of a size and one file for all contradict each other: take one of size and merge")
	}
	used := map[string]bool{}
	for _, rule := range f.Tensors {
		for _, s := range rule.Steps {
			if err := s.check(f); err != nil {
				return err
			}
			for _, arg := range s.args {
				used[arg.source] = true
			}
		}
	}
	for _, s := range f.Sources {
		if !used[s.Name] {
			return s.Pos.errorf("no step has a tensor of source %s, or merges it: take it out, or name it in a step (an adapter for the whole view is [[lora]])", quote(s.Name))
		}
	}
	return nil
}
