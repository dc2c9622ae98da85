package rules

import (
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
)

// reference finds a tensor of another source.
func (e *evaluation) reference(a *argument, it *item) (ops.Array, error) {
	unknown := ""
	key := a.key.fill(func(i int) string {
		name := a.key.holes[i].name
		if k := slices.Index(e.rule.loop, name); k >= 0 {
			return e.loop[k]
		}
		if it.input != nil {
			if k := find(it.from.holes, name); k >= 0 {
				return it.input.values[k]
			}
		}
		unknown = a.key.holes[i].String()
		return ""
	})
	if unknown != "" {
		return ops.Array{}, a.pos.errorf("nothing says here what %s is: it has to stand in from, and one that collects is known before the join alone", unknown)
	}
	other, ok, err := e.env.Tensor(a.source, e.set, key)
	switch {
	case err != nil:
		return other, a.pos.errorf("source %s: %v", a.source, err)
	case !ok:
		return other, a.pos.errorf("source %s has no tensor %s, which goes with %s", a.source, quote(key), e.driverKey(e.run))
	}
	return other, nil
}

// floating refuses numbers that arithmetic does not go over.
func (e *evaluation) floating(it *item) error {
	if !ops.Casts(it.DType, checkpoint.F32) {
		return e.step.Pos.errorf("%s is %s, and %s computes with floating-point numbers: let it pass by a rule before this one, from = to = its key", e.driverKey(e.run), it.DType, e.step.Op)
	}
	return nil
}

// begin remembers what a tensor is rounded to when the steps that compute are over.
func (it *item) begin() {
	if it.round == checkpoint.Invalid {
		it.round = it.DType
	}
}

// lora merges what an adapter has for a tensor.
func (e *evaluation) lora(it *item) error {
	if err := it.settle(); err != nil {
		return err
	}
	w, err := e.weight(1, *it, 1)
	if err != nil {
		return err
	}
	key := it.key
	if key == "" {
		if key, err = e.output(); err != nil {
			return err
		}
	}
	it.Array, err = e.env.Lora(e.step.args[0].source, e.set, key, it.Array, w)
	return err
}

// output is the key of the one output of a run, by which an adapter names what several inputs
// became.
func (e *evaluation) output() (string, error) {
	t := e.rule.to[0]
	if len(e.rule.to) > 1 || e.rule.spreads {
		return "", e.step.Pos.errorf("lora does not know here which key the adapter has: merge before the inputs are joined, or in a rule that has one output")
	}
	return t.fill(func(i int) string { return e.loop[slices.Index(e.rule.loop, t.holes[i].name)] }), nil
}

// compute carries out a step of arithmetic on a tensor.
func (e *evaluation) compute(it *item) error {
	s := e.step
	if err := e.floating(it); err != nil {
		return err
	}
	var others []ops.Array
	i := 0
	for ; i < len(s.args) && s.args[i].what == aReference; i++ {
		other, err := e.reference(&s.args[i], it)
		if err != nil {
			return err
		}
		if !ops.Casts(other.DType, checkpoint.F32) {
			return s.args[i].pos.errorf("%s of source %s is %s, and %s computes with floating-point numbers", quote(it.key), s.args[i].source, other.DType, s.Op)
		}
		if !slices.Equal(other.Shape, it.Shape) {
			return s.args[i].pos.errorf("%s is %s, and what goes with it in source %s is %s: both need one shape", e.driverKey(e.run), it.Array, s.args[i].source, other)
		}
		others = append(others, other)
	}
	w, err := e.weight(i, *it, 1)
	if err != nil {
		return err
	}
	it.begin()
	switch s.Op {
	case "scale":
		it.Array, err = ops.Scale(it.Array, w)
	case "add":
		it.Array, err = ops.Add(it.Array, others[0], w)
	case "sub":
		it.Array, err = ops.Add(it.Array, others[0], -w)
	case "add_difference":
		it.Array, err = ops.AddDifference(it.Array, others[0], others[1], w)
	case "lerp":
		it.Array, err = ops.Lerp(it.Array, others[0], w)
	case "slerp":
		it.Array, err = ops.Slerp(it.Array, others[0], w)
	case "slerp_rows":
		it.Array, err = ops.SlerpRows(it.Array, others[0], w)
	case "nearswap":
		it.Array, err = ops.Nearswap(it.Array, others[0], w)
	case "mean":
		it.Array, err = ops.Mean(append([]ops.Array{it.Array}, others...)...)
	}
	return err
}

// average joins by the mean.
func (e *evaluation) average() error {
	for _, list := range e.lists {
		for i := range list {
			if err := e.floating(&list[i]); err != nil {
				return err
			}
		}
	}
	first := e.lists[0][0]
	first.begin()
	err := e.join(func(items []ops.Array) (ops.Array, error) { return ops.Mean(items...) })
	for _, list := range e.lists {
		for i := range list {
			if list[i].key == "" { // it was joined
				list[i].round = first.round
			}
		}
	}
	return err
}

// together carries out a step that takes what all patterns gave.
func (e *evaluation) together() error {
	items := e.heads()
	arrays, err := settled(items)
	if err != nil {
		return err
	}
	s := e.step
	if s.Op == "dequant" {
		parts := make([]Key, len(items))
		for i, it := range items {
			parts[i] = Key{it.key, e.set, arrays[i]}
		}
		to := checkpoint.Invalid
		if len(s.args) > 0 {
			to = s.args[0].dtype
		}
		a, err := e.env.Dequantize(e.set, parts, to)
		e.lists = [][]item{{joined(a, items[0])}}
		return err
	}
	for i := range items {
		if err := e.floating(&items[i]); err != nil {
			return err
		}
	}
	var made []ops.Array
	weight := 0 // which of the inputs it is
	if s.Op == "weight_norm" {
		made, weight = make([]ops.Array, 1), 1
		made[0], err = ops.WeightNorm(arrays[0], arrays[1])
	} else {
		made, err = e.fold(arrays, items[0])
	}
	if err != nil {
		return err
	}
	e.lists = nil
	for _, a := range made {
		it := joined(a, items[0])
		it.round = items[weight].DType
		e.lists = append(e.lists, []item{it})
	}
	return nil
}

// fold folds a BatchNorm into the layer before it.
func (e *evaluation) fold(a []ops.Array, first item) ([]ops.Array, error) {
	const torchEps = 1e-5 // torch.nn.BatchNorm2d
	eps, err := e.weight(0, first, torchEps)
	if err != nil {
		return nil, err
	}
	axis, err := e.wholes(min(1, len(e.step.args)), first)
	if err != nil {
		return nil, err
	}
	var bias *ops.Array
	if len(a) == 6 {
		bias = &a[1]
	}
	norm := a[len(a)-4:]
	weight, b, err := ops.BatchNorm{Weight: &norm[0], Bias: &norm[1], Mean: norm[2], Var: norm[3], Eps: eps}.Fold(a[0], bias, ints(append(axis, 0))[0])
	return []ops.Array{weight, b}, err
}
