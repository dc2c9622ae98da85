package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// shown makes the model of what was derived, and the files of its views.
func (d *deriving) shown() error {
	model := *d.plan.Model
	model.Sets = nil
	for i, nodes := range d.sets {
		planned := &d.plan.Sets[i]
		set, err := d.set(*planned, nodes)
		if err != nil {
			return err
		}
		model.Sets = append(model.Sets, set)
		planned.Set, planned.Files = set, nil
		for _, s := range set.Shards {
			planned.Files = append(planned.Files, fileOf(Shard{Shard: s}))
		}
	}
	d.configs(&model)
	d.plan.Shown = &model
	return nil
}

// set makes the shards of one set.
func (d *deriving) set(planned Set, nodes []*node) (*checkpoint.Set, error) {
	seen := map[string]*node{}
	for _, n := range nodes {
		if other := seen[n.key]; other != nil {
			return nil, fmt.Errorf("both %.200q and %.200q would be called %.200q in the view", other.from[0], n.from[0], planned.Qualify(n.key))
		}
		seen[n.key] = n
	}
	set := &checkpoint.Set{Dir: planned.Dir, Name: planned.Name}
	parts := d.spread(planned, nodes)
	for _, part := range parts {
		set.Shards = append(set.Shards, checkpoint.Shard{Checkpoint: shardOf(planned, part.nodes), ViewName: part.name})
	}
	if len(parts) > 1 || planned.Index != "" && !d.rules.Merge.Value && !d.rules.ShardSize.Set {
		set.Index = wholeName(planned) + ".index.json"
	}
	return set, nil
}

// part is a file of a view on its way.
type part struct {
	name  string
	nodes []*node
}

// spread puts the tensors of a set into files.
func (d *deriving) spread(planned Set, nodes []*node) []part {
	switch whole := wholeName(planned); {
	case d.rules.Merge.Value:
		return []part{{whole, nodes}}
	case d.rules.ShardSize.Set:
		parts := split(nodes, d.rules.ShardSize.Value)
		if len(parts) == 1 {
			return []part{{whole, nodes}}
		}
		named := make([]part, len(parts))
		for i, p := range parts {
			named[i] = part{fmt.Sprintf("%s-%05d-of-%05d.safetensors", strings.TrimSuffix(whole, ".safetensors"), i+1, len(parts)), p}
		}
		return named
	}
	parts := make([]part, len(planned.Shards))
	for i, s := range planned.Shards {
		parts[i].name = s.ViewName
	}
	for _, n := range nodes {
		parts[n.shard].nodes = append(parts[n.shard].nodes, n)
	}
	if some := slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return len(p.nodes) == 0 }); len(some) > 0 {
		return some
	}
	return parts[:1]
}

// split fills shards one after the other, in the order of the tensors, as
// huggingface_hub's split_torch_state_dict_into_shards does (serialization/_base.py): a
// tensor that is too large for any has one of its own, and does not end the one before it.
func split(nodes []*node, most int64) (parts [][]*node) {
	var current []*node
	var size int64
	for _, n := range nodes {
		bytes := n.array.Data.Size()
		if bytes > most {
			parts = append(parts, []*node{n})
			continue
		}
		if size+bytes > most {
			parts, current, size = append(parts, current), nil, 0
		}
		current, size = append(current, n), size+bytes
	}
	if len(current) > 0 || len(parts) == 0 {
		parts = append(parts, current)
	}
	return parts
}

// wholeName is the name that the view of a set has where it is one file.
func wholeName(s Set) string {
	if name, ok := strings.CutSuffix(s.Index, ".index.json"); ok {
		return name
	}
	return s.Set.Shards[0].ViewName
}

// shardOf is the checkpoint of tensors that come from some of the shards of a set.
func shardOf(planned Set, nodes []*node) *checkpoint.Checkpoint {
	var used []source.Source
	in := map[int]bool{}
	for _, n := range nodes {
		used = append(used, n.sources...)
		in[n.shard] = true
	}
	first, metadata := planned.Shards[0], map[string]string{}
	for i, s := range slices.Backward(planned.Shards) {
		if in[i] {
			first = s
			maps.Copy(metadata, s.Metadata)
		}
	}
	if len(used) == 0 {
		used = []source.Source{first.Source}
	}
	c := &checkpoint.Checkpoint{
		Format: first.Format, Source: source.Group(used...), Separator: first.Separator, Framework: first.Framework, Metadata: metadata,
		Tensors: tensorsOf(nodes),
	}
	c.Verbatim = first.Verbatim && first.Root == "" && unchanged(first, nodes)
	return c
}

func unique(sources []source.Source) []source.Source {
	var all []source.Source
	for _, s := range sources {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// unchanged reports whether tensors are those of a shard as it is.
func unchanged(s Shard, nodes []*node) bool {
	if len(nodes) != len(s.Tensors) {
		return false
	}
	for i, n := range nodes {
		if n.of != s.Tensors[i] || n.made != "" || n.key != n.of.Key {
			return false
		}
	}
	return true
}

// tensorsOf makes the tensors of one file.
func tensorsOf(nodes []*node) []*checkpoint.Tensor {
	first := map[tie]*checkpoint.Tensor{}
	all := make([]*checkpoint.Tensor, len(nodes))
	for i, n := range nodes {
		t := &checkpoint.Tensor{
			Key: n.key, DType: n.array.DType, Shape: n.array.Shape, Data: n.array.Data, Layer: n.of.Layer,
			Derived: &checkpoint.Derivation{From: n.from, By: n.made, Why: n.why},
		}
		if n.made == "" {
			t.Void = n.of.Void
		}
		if of := first[n.tie()]; of != nil {
			t.Tied, t.Data = of, of.Data
		} else {
			first[n.tie()] = t
		}
		all[i] = t
	}
	return all
}
