package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/quantity"
)

// lacks is one line on what the files of a plan's sources hold and its views do not have,
// "" for nothing. What is no part of a model's weights by the rules of its own library (a
// buffer that is not persistent, the state of an optimizer) is not lacking.
func (p *Plan) lacks() string {
	count, held, attributes := 0, 0, 0
	foreign := map[checkpoint.DType]int{}
	var omitted []checkpoint.Omitted
	for _, set := range p.Sets {
		for _, f := range set.Files {
			for _, e := range f.Entries {
				if e.DType.InSafetensors() {
					count++
				} else {
					foreign[e.DType]++
				}
			}
		}
		for _, s := range set.Shards {
			omitted = append(omitted, below(s)...)
			for _, t := range s.Tensors {
				held++
				if t.Hidden == checkpoint.PlainAttribute {
					attributes++
				}
			}
		}
	}
	var parts []string
	for _, d := range slices.Sorted(maps.Keys(foreign)) {
		why := "which safetensors does not have"
		if d.Bits() == 0 && ops.Casts(d, checkpoint.F32) {
			why += " (--dequantize shows plain numbers)"
		}
		parts = append(parts, fmt.Sprintf("%s of %s, %s", quantity.Of(foreign[d], "tensor"), d, why))
	}
	switch len(omitted) {
	case 0:
	case 1:
		parts = append(parts, fmt.Sprintf("%.60q (%.200s)", omitted[0].Key, omitted[0].Reason))
	default:
		parts = append(parts, fmt.Sprintf("%d values, such as %.60q (%.200s)", len(omitted), omitted[0].Key, omitted[0].Reason))
	}
	if attributes > 0 {
		parts = append(parts, quantity.Of(attributes, "tensor")+" that a module has as a plain attribute")
	}
	what := strings.Join(parts, "; ")
	switch {
	case count > 0 && what == "":
		return ""
	case count > 0:
		return "the view lacks " + what
	case what != "":
		return "the view is empty: it lacks " + what
	case held > 0:
		return fmt.Sprintf("the view is empty: it has none of the %s that the source holds", quantity.Of(held, "tensor"))
	}
	return "the view is empty: the source holds no tensor"
}

// below is what of a file's omitted values a view of its root would have had.
func below(s Shard) []checkpoint.Omitted {
	if s.Root == "" {
		return s.Omitted
	}
	var all []checkpoint.Omitted
	for _, o := range s.Omitted {
		if o.Key == s.Root || strings.HasPrefix(o.Key, s.Root+s.Separator) {
			all = append(all, o)
		}
	}
	return all
}
