package main

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/quantity"
)

// totals are sums over tensors, of which those that are tied count once.
type totals struct {
	Tensors    int              `json:"tensors"`
	Parameters int64            `json:"parameters"`
	Bytes      int64            `json:"bytes"`
	DTypes     map[string]int64 `json:"bytes_by_dtype"`
}

// counting adds tensors to totals.
type counting struct {
	totals
	ties ties
	seen map[*checkpoint.Tensor]bool // of those with ties
}

// ties are the tensors that others are tied to.
type ties map[*checkpoint.Tensor]bool

func tiesOf(tensors iter.Seq[listed]) ties {
	found := ties{}
	for t := range tensors {
		if t.Tied != nil {
			found[t.Tied] = true
		}
	}
	return found
}

func newCounting(of ties) *counting {
	return &counting{totals{DTypes: map[string]int64{}}, of, map[*checkpoint.Tensor]bool{}}
}

func (c *counting) add(t listed) {
	c.Tensors++
	if first := t.Canonical(); c.ties[first] {
		if c.seen[first] {
			return
		}
		c.seen[first] = true
	}
	c.Parameters += t.elements()
	c.Bytes += t.Data.Size()
	c.DTypes[t.DType.String()] += t.Data.Size()
}

func totalOf(tensors iter.Seq[listed]) *totals {
	c := newCounting(tiesOf(tensors))
	for t := range tensors {
		c.add(t)
	}
	return &c.totals
}

// String is the totals in one line, dtypes with the most bytes first.
func (t *totals) String() string {
	names := slices.SortedFunc(maps.Keys(t.DTypes), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.DTypes[b], t.DTypes[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		if len(names) > 1 {
			names[i] = name + " " + quantity.Bytes(t.DTypes[name])
		}
	}
	text := fmt.Sprintf("%s, %s parameters, %s", quantity.Of(t.Tensors, "tensor"), quantity.Grouped(t.Parameters, ","), quantity.Bytes(t.Bytes))
	if len(names) > 0 {
		text += " (" + strings.Join(names, ", ") + ")"
	}
	return text
}
