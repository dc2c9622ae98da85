package rules

import (
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
)

// Key is a tensor of the base, as the root and dequantization left it.
type Key struct {
	Name string
	// Set is the directory of its weights, "" for the root: rules go over each set by itself.
	Set string
	// Array is the tensor, of which nothing is read.
	ops.Array
}

// Env is what rules need to know besides the keys.
type Env interface {
	// Config is the config.json beside the weights of a set, nil where there is none.
	Config(set string) ([]byte, error)
	// Tensor finds a tensor of a source of File.Sources by its key there, in the set of the
	// same directory or, where the source has one set alone, in that.
	Tensor(source, set, key string) (a ops.Array, ok bool, err error)
	// Lora merges into w what an adapter has for a key of the view. Where it has nothing it
	// gives w back.
	Lora(source, set, key string, w ops.Array, weight float64) (ops.Array, error)
	// Dequantize makes the weight of the parts of a quantized one. to can be Invalid, for the
	// dtype that the checkpoint names.
	Dequantize(set string, parts []Key, to checkpoint.DType) (ops.Array, error)
}

// Result is a tensor of the view after renames and tensor rules.
type Result struct {
	// Key has the name in the view, the set, and the array that is computed while it is read.
	Key
	// Inputs are the indices of the keys that it is made of: a list for each pattern of from,
	// of one or of all that were collected, in their natural order. Of a tensor that passes
	// it is its own index.
	Inputs [][]int
	// Rule is the rule that made it, nil for a tensor that passes.
	Rule *TensorRule
	// Output is which of the outputs of its run it is.
	Output int
	// Bindings are the values of the placeholders that loop, by their names.
	Bindings map[string]string
	// Casts are what the cast steps of the run did, of all its outputs, in the first of them.
	Casts []Cast

	file *File
}

// Cast is a tensor before and after a cast step.
type Cast struct{ From, To ops.Array }

const (
	// maxKeys is the most tensors that rules make.
	maxKeys = 1 << 20
	// maxKey is the longest key that a rule makes, and maxNames all of them together. {k}{k} in a
	// few renames makes keys of any length.
	maxKey, maxNames = 16 << 10, 512 << 20
)

// application is one run of rules over keys.
type application struct {
	file *File
	env  Env
	keys []Key
	// names are those of the keys after the renames.
	names []string
	// last is the index of the rename that changed a key last, -1 for none.
	last    []int
	made    int64 // bytes of new names
	results []Result
	taken   []bool // keys that a rule has taken
	used    map[*TensorRule]bool
	numbers map[string]*numbers
}

// Apply carries out renames and tensor rules. Everything that a rule has wrong is an error
// that begins with its place. The results are in the order of their first inputs.
func (f *File) Apply(keys []Key, env Env) ([]Result, error) {
	a := &application{
		file: f, env: env, keys: keys, names: make([]string, len(keys)), last: make([]int, len(keys)), taken: make([]bool, len(keys)),
		used: map[*TensorRule]bool{}, numbers: map[string]*numbers{},
	}
	if err := a.rename(); err != nil {
		return nil, err
	}
	for _, set := range a.sets() {
		for _, r := range f.Tensors {
			if err := a.tensor(r, set); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range f.Tensors {
		if !a.used[r] && !r.Optional {
			return nil, a.unmatched(r.from[0])
		}
	}
	a.pass()
	if len(f.Tensors) > 0 {
		slices.SortStableFunc(a.results, func(x, y Result) int { return x.first() - y.first() })
	}
	return a.results, a.collisions()
}

// pass adds the keys that no rule has taken to the results.
func (a *application) pass() {
	a.results = slices.Grow(a.results, len(a.keys))
	inputs, lists := make([]int, len(a.keys)), make([][]int, len(a.keys))
	for i, k := range a.keys {
		if !a.taken[i] {
			inputs[i], lists[i] = i, inputs[i:i+1:i+1]
			k.Name = a.names[i]
			a.results = append(a.results, Result{Key: k, Inputs: lists[i : i+1 : i+1], file: a.file})
		}
	}
}

// first is the index of the first input.
func (r *Result) first() int { return r.Inputs[0][0] }

// rename gives all keys their names.
func (a *application) rename() error {
	used := make([]bool, len(a.file.Renames))
	values := make([]string, 0, maxHoles)
	for i, k := range a.keys {
		name := k.Name
		a.last[i] = -1
		for n, r := range a.file.Renames {
			next, ok := r.apply(name, values)
			if !ok {
				continue
			}
			used[n] = true
			if next == name {
				continue
			}
			if err := a.named(r.to.pos, name, next); err != nil {
				return err
			}
			name, a.last[i] = next, n
		}
		a.names[i] = name
	}
	for n, r := range a.file.Renames {
		if !used[n] && !r.Optional {
			return a.unmatched(r.from)
		}
	}
	return a.renamed()
}

// named holds a new name against the bounds.
func (a *application) named(pos Pos, from, to string) error {
	a.made += int64(len(to))
	switch {
	case to == "":
		return pos.errorf("nothing would be left of the key %s", quote(from))
	case len(to) > maxKey:
		return pos.errorf("%s would become a key of %d bytes, and one has at most %d", quote(from), len(to), maxKey)
	case a.made > maxNames:
		return pos.errorf("the new keys would have more than %d bytes together", maxNames)
	}
	return nil
}

// place is a name in a set.
type place struct{ set, name string }

// renamed finds keys that renames have made the same.
func (a *application) renamed() error {
	if len(a.file.Renames) == 0 {
		return nil
	}
	seen := make(map[place]int, len(a.keys))
	for i, k := range a.keys {
		at := place{k.Set, a.names[i]}
		other, again := seen[at]
		if !again {
			seen[at] = i
			continue
		}
		if by := max(a.last[i], a.last[other]); by >= 0 {
			return a.file.Renames[by].to.pos.errorf("both %s and %s would be called %s", quote(a.keys[other].Name), quote(k.Name), quote(at.name))
		}
	}
	return nil
}

// unmatched is the error of a pattern that matches no key. It names the key that begins most
// like the pattern.
func (a *application) unmatched(p *pattern) error {
	what := "there are none"
	if len(a.names) > 0 {
		begins, best, most := p.begins(), 0, -1
		for i, name := range a.names {
			n := 0
			for n < min(len(name), len(begins)) && name[n] == begins[n] {
				n++
			}
			if n > most {
				best, most = i, n
			}
		}
		what = "one that there is at this point is " + quote(a.names[best])
	}
	how := ""
	if p.pos.Line > 0 {
		how = "; optional = true allows it"
	}
	return p.pos.errorf("%s matches no key: %s%s", quote(p.text), what, how)
}

// sets are the indices of the keys of each set, in the order of the keys.
func (a *application) sets() (sets [][]int) {
	place := map[string]int{}
	for i, k := range a.keys {
		at, ok := place[k.Set]
		if !ok {
			at = len(sets)
			place[k.Set], sets = at, append(sets, nil)
		}
		sets[at] = append(sets[at], i)
	}
	return sets
}

// collisions finds outputs of rules that have the name of another tensor.
func (a *application) collisions() error {
	if len(a.file.Tensors) == 0 {
		return nil
	}
	seen := make(map[place]int, len(a.results))
	for i := range a.results {
		r := &a.results[i]
		at := place{r.Set, r.Name}
		other, again := seen[at]
		if !again {
			seen[at] = i
			continue
		}
		o := &a.results[other]
		rule := r.Rule
		if rule == nil {
			rule = o.Rule
		}
		if rule != nil {
			return rule.to[0].pos.errorf("two tensors would be called %s: what is made of %s, and what is made of %s", quote(r.Name), a.from(o), a.from(r))
		}
	}
	return nil
}

// from is what a result is made of, for an error.
func (a *application) from(r *Result) string {
	var list []string
	for _, inputs := range r.Inputs {
		for _, i := range inputs {
			list = append(list, a.keys[i].Name)
		}
	}
	return quoted(list)
}
