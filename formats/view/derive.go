package view

import (
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/ops"
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
}

// derive makes the model that rules make of what the plan's roots take.
func (p *Plan) derive(rules Rules) error {
	d := &deriving{plan: p, rules: rules}
	for _, set := range p.Sets {
		d.sets = append(d.sets, nodesOf(set))
	}
	for _, step := range []func() error{d.dequantize, d.selectKeys, d.cast, d.settleTies} {
		if err := step(); err != nil {
			return fmt.Errorf("%s: %w", p.Model.Path, err)
		}
	}
	if err := d.shown(); err != nil {
		return fmt.Errorf("%s: %w", p.Model.Path, err)
	}
	return nil
}

func nodesOf(set Set) []*node {
	var nodes []*node
	for i, s := range set.Shards {
		made := make([]node, len(set.Files[i].Entries))
		for k, e := range set.Files[i].Entries {
			n := &made[k]
			*n = node{key: e.Key, array: ops.Of(e.Tensor), of: e.Tensor, from: []string{e.Tensor.Key}, shard: i, sources: []source.Source{s.Source}}
			nodes = append(nodes, n)
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

// takes reports whether patterns pick a tensor, by its key or by that with its set.
func takes(s *keys.Selection, set Set, key string) bool {
	return s.Takes(key) || set.Place() != "" && s.Takes(set.Qualify(key))
}

// unused is an error that names the first pattern that picked nothing.
func (d *deriving) unused(s *keys.Selection, flag string) error {
	pattern, ok := s.Unused()
	if !ok {
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
	return fmt.Errorf("%s %q matches no tensor of the view%s", flag, pattern, what)
}

// selectKeys leaves out what the user does not want.
func (d *deriving) selectKeys() error {
	include, exclude := keys.Select(d.rules.Include), keys.Select(d.rules.Exclude)
	before := d.sets
	d.sets = make([][]*node, len(before))
	for i, nodes := range before {
		for _, n := range nodes {
			if !takes(include, d.plan.Sets[i], n.key) {
				continue
			}
			if len(d.rules.Exclude) == 0 || !takes(exclude, d.plan.Sets[i], n.key) {
				d.sets[i] = append(d.sets[i], n)
			}
		}
	}
	left := slices.ContainsFunc(d.sets, func(nodes []*node) bool { return len(nodes) > 0 })
	after := d.sets
	d.sets = before // for the keys that a pattern could have meant
	if err := d.unused(include, "--include"); err != nil {
		return err
	}
	if len(d.rules.Exclude) > 0 {
		if err := d.unused(exclude, "--exclude"); err != nil {
			return err
		}
	}
	if !left {
		return fmt.Errorf("--include and --exclude leave no tensor")
	}
	d.sets = after
	return nil
}

// cast gives floating-point tensors their dtype.
func (d *deriving) cast() error {
	to := d.rules.Cast.To
	if to == checkpoint.Invalid {
		return nil
	}
	keep := keys.Select(d.rules.Keep)
	err := d.each(func(set Set, n *node) error {
		from := n.array.DType
		if from == to || from.Bits() == 0 || !ops.Casts(from, to) || len(d.rules.Keep) > 0 && takes(keep, set, n.key) {
			return nil
		}
		array, err := n.array.To(to)
		if err != nil {
			return fmt.Errorf("%.200q: %w", n.key, err)
		}
		n.array = array
		n.by("cast to " + to.String())
		return nil
	})
	if err != nil || len(d.rules.Keep) == 0 {
		return err
	}
	return d.unused(keep, "--keep")
}

// tie is what tied tensors of a view have in common.
type tie struct {
	of   *checkpoint.Tensor
	made string
}

func (n *node) tie() tie { return tie{n.of.Canonical(), n.made} }

// settleTies leaves out tied tensors where the user wants none.
func (d *deriving) settleTies() error {
	if !d.rules.DropTied {
		return nil
	}
	for i, nodes := range d.sets {
		seen := map[tie]bool{}
		d.sets[i] = slices.DeleteFunc(nodes, func(n *node) bool {
			again := seen[n.tie()]
			seen[n.tie()] = true
			return again
		})
	}
	return nil
}
