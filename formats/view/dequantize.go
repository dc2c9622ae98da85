package view

import (
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/quantity"
	"wfs/formats/quantized"
	"wfs/formats/source"
)

// dequantize makes plain tensors of those that are quantized.
func (d *deriving) dequantize() error {
	if !d.rules.Dequantize.Set {
		return nil
	}
	wanted, count := d.rules.Dequantize.Value, 0
	for i, set := range d.plan.Sets {
		config, err := d.config(set)
		if err != nil {
			return err
		}
		groups, err := d.groups(i, config, wanted)
		if err != nil {
			return fault(d.rules.Dequantize.Pos, "%v", err)
		}
		count += len(groups)
		to, err := quantized.PlainDType(config, wanted)
		if err != nil {
			return fault(d.rules.Dequantize.Pos, "%v", err)
		}
		for _, n := range d.sets[i] {
			if from := n.array.DType; from.Bits() == 0 && ops.Casts(from, to) {
				if n.array, err = n.array.To(to); err != nil {
					return fault(d.rules.Dequantize.Pos, "%.200q: %v", n.key, err)
				}
				n.by("dequantized from " + from.String())
				d.because(n, d.rules.Dequantize.Pos, "dequantized from %s", from)
				count++
			}
		}
		if len(groups) > 0 {
			d.plain[set.Join(configName)] = groups[0].DType
		}
	}
	if count == 0 {
		return fault(d.rules.Dequantize.Pos, "no tensor is quantized in a way that wfs knows")
	}
	d.plan.note(quantity.Of(count, "quantized tensor") + " shown as plain numbers")
	return nil
}

// groups puts a plain tensor in the place of the parts of each one that is quantized.
func (d *deriving) groups(i int, config []byte, to checkpoint.DType) ([]quantized.Group, error) {
	nodes := d.sets[i]
	entries, index := make([]checkpoint.Entry, len(nodes)), make(map[string]int, len(nodes))
	for k, n := range nodes {
		entries[k], index[n.key] = checkpoint.Entry{Key: n.key, Tensor: n.of}, k
	}
	groups, err := quantized.Find(entries, config, to)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		first := len(nodes)
		made := &node{key: g.Key, array: g.Array, made: "dequantized from " + g.What}
		d.because(made, d.rules.Dequantize.Pos, "dequantized from %s", g.What)
		var sources []source.Source
		for _, key := range g.Inputs {
			k := index[key]
			made.from = append(made.from, nodes[k].from...)
			sources = append(sources, nodes[k].sources...)
			if k < first {
				first = k
				made.of, made.shard = nodes[k].of, nodes[k].shard
			}
		}
		made.sources = unique(sources)
		for _, key := range g.Inputs {
			nodes[index[key]] = nil
		}
		nodes[first] = made
	}
	d.sets[i] = slices.DeleteFunc(nodes, func(n *node) bool { return n == nil })
	return groups, nil
}
