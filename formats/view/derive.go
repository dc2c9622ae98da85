package view

import (
	"errors"
	"fmt"
	"slices"

	"wfs/formats/adapter"
	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/ops"
	"wfs/formats/rules"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// node is a tensor on its way from the source to the view.
type node struct {
	key   string
	array ops.Array
	// of is the tensor of the source that it is, or the first of those that it is made of.
	of *checkpoint.Tensor
	// from is the keys in the source of all that it is made of.
	from []string
	// made is by what it is made, "" where it is a tensor of the source as it is. Tensors
	// that were tied, and that were made by the same, are.
	made string
	// shard is the place of its file among those of the source.
	shard int
	// sources are what it is made of.
	sources []source.Source
	// why is what rules did, where the plan is to tell.
	why []string
}

// by says what was done to a tensor.
func (n *node) by(what string) {
	if n.made != "" {
		what = n.made + ", " + what
	}
	n.made = what
}

// deriving is a view on its way.
type deriving struct {
	plan  *Plan
	rules Rules
	sets  [][]*node // a list for each set of the plan
	// others are what the rules name besides the source.
	others
	// renamed are the tensors under the names that they have before rules make others of them.
	renamed []adapter.Base
	// plain is the dtype of weights that were dequantized, by the path of their configuration.
	plain map[string]checkpoint.DType
}

// derive makes the model that rules make of what the plan's roots take.
func (p *Plan) derive(r Rules) error {
	d := &deriving{plan: p, rules: r, plain: map[string]checkpoint.DType{}}
	bands := segment.NewBands(segment.DefaultBandsSize)
	for _, set := range p.Sets {
		d.sets = append(d.sets, nodesOf(set, bands))
	}
	for _, step := range []func() error{d.openOthers, d.dequantize, d.rewrite, d.merge, d.selectKeys, d.cast, d.settleTies, d.shown} {
		if err := step(); err != nil {
			return named(p.Model.Path, err)
		}
	}
	return nil
}

func nodesOf(set Set, bands *segment.Bands) []*node {
	var nodes []*node
	for i, s := range set.Shards {
		made := make([]node, len(set.Files[i].Entries))
		sources := []source.Source{s.Source}
		for k, e := range set.Files[i].Entries {
			array := ops.Of(e.Tensor)
			array.Bands = bands
			made[k] = node{key: e.Key, array: array, of: e.Tensor, from: []string{e.Tensor.Key}, shard: i, sources: sources}
			nodes = append(nodes, &made[k])
		}
	}
	return nodes
}

// each goes over all tensors.
func (d *deriving) each(f func(set Set, n *node) error) error {
	for i, nodes := range d.sets {
		for _, n := range nodes {
			if err := f(d.plan.Sets[i], n); err != nil {
				return err
			}
		}
	}
	return nil
}

// rewrite carries out the renames and the rules for tensors.
func (d *deriving) rewrite() error {
	if len(d.rules.Renames)+len(d.rules.Tensors) == 0 {
		return nil
	}
	var nodes []*node
	var given []rules.Key
	index := map[string]int{}
	for i, set := range d.plan.Sets {
		index[set.Place()] = i
		for _, n := range d.sets[i] {
			nodes = append(nodes, n)
			given = append(given, rules.Key{Name: n.key, Set: set.Place(), Array: n.array})
		}
		d.sets[i] = nil
	}
	if len(d.adapters) > 0 {
		alone := rules.File{Renames: d.rules.Renames}
		results, err := alone.Apply(given, environment{d})
		if err != nil {
			return err
		}
		for _, r := range results {
			d.renamed = append(d.renamed, adapter.Base{Key: r.Name, Set: r.Set, Array: r.Array})
		}
	}
	results, err := d.rules.Apply(given, environment{d})
	if err != nil {
		return err
	}
	if err := d.unmerged(); err != nil {
		return err
	}
	for i := range results {
		r := &results[i]
		at := index[r.Set]
		n := d.result(r, nodes)
		if d.rules.Explain {
			n.why = whyOf(r, nodes, given)
			for _, c := range r.Casts {
				d.plan.Casts = append(d.plan.Casts, Casting{d.plan.Sets[at].Qualify(n.key), c.From, c.To})
			}
		}
		d.sets[at] = append(d.sets[at], n)
	}
	return nil
}

// result is the tensor that rules made of nodes.
func (d *deriving) result(r *rules.Result, nodes []*node) *node {
	n := *nodes[r.Inputs[0][0]]
	n.key = r.Name
	if r.Rule == nil {
		return &n
	}
	n.array, n.from, n.sources = r.Array, nil, nil
	for _, inputs := range r.Inputs {
		for _, i := range inputs {
			n.from = append(n.from, nodes[i].from...)
			n.sources = append(n.sources, nodes[i].sources...)
		}
	}
	n.sources = unique(n.sources)
	if by := r.By(); by != "" {
		n.sources = append(n.sources, d.sources...) // it may be made of any of them
		n.by(by)
	}
	return &n
}

// cast gives floating-point tensors their dtype.
func (d *deriving) cast() error {
	if !d.rules.Cast.Set {
		return nil
	}
	to := d.rules.Cast.Value
	overflow := ops.Saturate
	if d.rules.Overflow.Value == rules.NaN {
		overflow = ops.NaN
	}
	keep := pick(d.rules.CastKeep)
	err := d.each(func(set Set, n *node) error {
		from := n.array.DType
		if from == to || from.Bits() == 0 || !ops.Casts(from, to) {
			return nil
		}
		if keep.some() && keep.takes(set, n.key) {
			if d.rules.Explain {
				d.because(n, keep.of(set, n.key), "stays %s", from)
			}
			return nil
		}
		array, err := overflow.To(n.array, to)
		if err != nil {
			return fault(d.rules.Cast.Pos, "%.200q: %v", n.key, err)
		}
		if d.rules.Explain {
			d.plan.Casts = append(d.plan.Casts, Casting{set.Qualify(n.key), n.array, array})
		}
		n.array = array
		n.by("cast to " + to.String())
		d.because(n, d.rules.Cast.Pos, "cast from %s to %s", from, to)
		return nil
	})
	if err != nil {
		return err
	}
	return d.unused(keep)
}

// tie is what tied tensors of a view have in common.
type tie struct {
	of   *checkpoint.Tensor
	made string
}

func (n *node) tie() tie { return tie{n.of.Canonical(), n.made} }

// settleTies leaves out tied tensors where the user wants none.
func (d *deriving) settleTies() error {
	if d.rules.Tied.Value != rules.Drop {
		return nil
	}
	for i, nodes := range d.sets {
		seen := map[tie]*node{}
		d.sets[i] = slices.DeleteFunc(nodes, func(n *node) bool {
			first := seen[n.tie()]
			if first == nil {
				seen[n.tie()] = n
				return false
			}
			d.gone(d.plan.Sets[i], n, d.rules.Tied.Pos, "is %.200q by another name", first.key)
			return true
		})
	}
	return nil
}

// picked is the tensors that globs of rules pick, by their keys in the view or by those with
// the directory of their set in front ("unet/conv_in.weight").
type picked struct {
	globs []rules.Glob
	*keys.Selection
}

func pick(globs []rules.Glob) picked {
	var patterns []string
	for _, g := range globs {
		patterns = append(patterns, g.Text)
	}
	return picked{globs, keys.Select(patterns)}
}

// some reports whether there is a pattern at all.
func (p picked) some() bool { return len(p.globs) > 0 }

func (p picked) takes(set Set, key string) bool {
	return p.Takes(key) || set.Place() != "" && p.Takes(set.Qualify(key))
}

// unused is an error at the first pattern that picked nothing.
func (d *deriving) unused(p picked) error {
	pattern, ok := p.Unused()
	if !ok || !p.some() {
		return nil
	}
	near := keys.Nearest(pattern, func(yield func(string) bool) {
		for i, nodes := range d.sets {
			for _, n := range nodes {
				if !yield(d.plan.Sets[i].Qualify(n.key)) {
					return
				}
			}
		}
	})
	what := ""
	if len(near) > 0 {
		what = fmt.Sprintf(": did you mean %s?", keys.Visible(near[0]))
	}
	at := p.globs[slices.IndexFunc(p.globs, func(g rules.Glob) bool { return g.Text == pattern })].Pos
	return fault(at, "%q matches no tensor of the view%s", pattern, what)
}

// selectKeys leaves out what the user does not want.
func (d *deriving) selectKeys() error {
	include, exclude := pick(d.rules.Include), pick(d.rules.Exclude)
	if !include.some() && !exclude.some() {
		return nil
	}
	left := make([][]*node, len(d.sets))
	some := false
	for i, set := range d.plan.Sets {
		for _, n := range d.sets[i] {
			switch {
			case !include.takes(set, n.key):
				d.gone(set, n, include.globs[0].Pos, "nothing includes it")
			case exclude.some() && exclude.takes(set, n.key):
				if d.rules.Explain {
					d.gone(set, n, exclude.of(set, n.key), "excluded")
				}
			default:
				left[i], some = append(left[i], n), true
			}
		}
	}
	for _, p := range []picked{include, exclude} {
		if err := d.unused(p); err != nil {
			return err
		}
	}
	if !some {
		return errors.New("include and exclude leave no tensor")
	}
	d.sets = left
	return nil
}
