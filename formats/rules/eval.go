package rules

import (
	"errors"
	"math"
	"slices"
	"strconv"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
)

// item is a tensor on its way through the steps of a run.
type item struct {
	ops.Array
	// round is the dtype that the tensor had before steps that compute in float32, Invalid
	// while there was none: what it becomes when they are over.
	round checkpoint.DType
	// last is the last dimension of the input, what in stands for; -1 for a scalar.
	last int64
	// key is that of the one input that it is made of, "" after a join.
	key string
	// input has what the placeholders of that input stand for, nil after a join.
	input *found
	from  *pattern
}

// evaluation is a run of a rule on its way through its steps.
type evaluation struct {
	*application
	*run
	lists [][]item
	step  *Step
	casts []Cast
}

// evaluate carries out a run and adds its outputs to the results.
func (a *application) evaluate(one *run) error {
	e := &evaluation{application: a, run: one}
	for n, list := range one.inputs {
		var items []item
		for _, f := range list {
			it := item{Array: a.keys[f.key].Array, last: -1, key: a.names[f.key], input: &f, from: one.rule.from[n]}
			if n := len(it.Shape); n > 0 {
				it.last = it.Shape[n-1]
			}
			items = append(items, it)
		}
		e.lists = append(e.lists, items)
	}
	for i := range one.rule.Steps {
		e.step = &one.rule.Steps[i]
		if err := e.do(); err != nil {
			if located := (*Error)(nil); errors.As(err, &located) {
				return err
			}
			return e.step.Pos.errorf("%s%s, of %s: %v", quote(e.step.Text), one.where(), a.driverKey(one), err)
		}
	}
	return e.outputs()
}

// do carries out one step.
func (e *evaluation) do() error {
	switch s := e.step; s.Op {
	case "concat", "stack":
		dim, err := e.whole(&s.args[0], e.lists[0][0])
		if err != nil {
			return err
		}
		join := ops.Concat
		if s.Op == "stack" {
			join = ops.Stack
		}
		return e.join(func(items []ops.Array) (ops.Array, error) { return join(int(dim), items...) })
	case "mean":
		if len(s.args) == 0 {
			return e.average()
		}
	case "weight_norm", "batch_norm", "dequant":
		return e.together()
	case "unstack", "split", "chunk":
		return e.cut()
	}
	for _, list := range e.lists {
		for i := range list {
			if err := e.one(&list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole is a number of a step: in is the last dimension of it.
func (e *evaluation) whole(a *argument, it item) (int64, error) {
	x, err := e.number(a, it)
	if err == nil && (x != math.Trunc(x) || math.Abs(x) > 1<<53) {
		err = a.pos.errorf("%s is %v, and a whole number is needed", quote(a.text), x)
	}
	return int64(x), err
}

func (e *evaluation) number(a *argument, it item) (float64, error) {
	switch {
	case a.name == "":
		return a.number, nil
	case a.name == inputWord && a.what != aWeight:
		if it.last < 0 {
			return 0, a.pos.errorf("in is the last dimension of the input, and %s has none", quote(it.key))
		}
		return float64(it.last), nil
	}
	n := e.application.numbers[e.set]
	if n == nil {
		n = &numbers{lets: e.file.Lets, set: e.set, env: e.env}
		e.application.numbers[e.set] = n
	}
	return n.find(a.name)
}

// wholes are the numbers of a step from argument i on, without the word of among them.
func (e *evaluation) wholes(i int, it item) ([]int64, error) {
	var all []int64
	for k := i; k < len(e.step.args); k++ {
		if e.step.args[k].what == theOf {
			continue
		}
		n, err := e.whole(&e.step.args[k], it)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// ints are numbers as dimensions and indices, which are small: what is not becomes one that
// no tensor has.
func ints(all []int64) []int {
	small := make([]int, len(all))
	for i, n := range all {
		small[i] = int(max(min(n, math.MaxInt32), math.MinInt32))
	}
	return small
}

// weight is the last argument of a step, or what it is where it is left out.
func (e *evaluation) weight(i int, it item, otherwise float64) (float64, error) {
	if i >= len(e.step.args) {
		return otherwise, nil
	}
	return e.number(&e.step.args[i], it)
}

// one carries out a step on a tensor.
func (e *evaluation) one(it *item) (err error) {
	s := e.step
	switch s.Op {
	case "alias":
	case "cast":
		before := it.Array
		it.Array, err = it.To(s.args[0].dtype)
		e.casts = append(e.casts, Cast{before, it.Array})
		it.round = checkpoint.Invalid // it says to what
	case "lora":
		return e.lora(it)
	case "scale", "add", "sub", "add_difference", "lerp", "slerp", "slerp_rows", "nearswap", "mean":
		return e.compute(it)
	case "transpose":
		it.Array, err = ops.Transpose(it.Array)
	case "slice":
		return e.slice(it)
	default:
		numbers, err := e.wholes(0, *it)
		if err != nil {
			return err
		}
		return e.move(it, numbers)
	}
	return err
}

// move carries out a movement that is a name and numbers.
func (e *evaluation) move(it *item, n []int64) (err error) {
	small := ints(n)
	switch e.step.Op {
	case "permute":
		it.Array, err = ops.Permute(it.Array, small...)
	case "reshape":
		it.Array, err = ops.Reshape(it.Array, n...)
	case "reorder":
		it.Array, err = ops.Reorder(it.Array, small[0], n[1], small[2:]...)
	case "shard":
		it.Array, err = ops.Rank(it.Array, small[0], small[1], small[2], n[3:]...)
	}
	return err
}

// slice takes a part of a dimension.
func (e *evaluation) slice(it *item) error {
	dim, err := e.whole(&e.step.args[0], *it)
	if err != nil {
		return err
	}
	bounds := [3]int64{0, math.MaxInt64, 1}
	for i, a := range e.step.args[1].bounds {
		if a != nil {
			if bounds[i], err = e.whole(a, *it); err != nil {
				return err
			}
		}
	}
	it.Array, err = ops.Slice(it.Array, ints([]int64{dim})[0], bounds[0], bounds[1], bounds[2])
	return err
}

// settle rounds what was computed in float32, once.
func (it *item) settle() (err error) {
	if it.round != checkpoint.Invalid {
		it.Array, err = it.To(it.round)
		it.round = checkpoint.Invalid
	}
	return err
}

// settled are the arrays of items, rounded.
func settled(items []item) ([]ops.Array, error) {
	arrays := make([]ops.Array, len(items))
	for i := range items {
		if err := items[i].settle(); err != nil {
			return nil, err
		}
		arrays[i] = items[i].Array
	}
	return arrays, nil
}

// heads are the first items of all lists, where each has one.
func (e *evaluation) heads() []item {
	var all []item
	for _, list := range e.lists {
		all = append(all, list[0])
	}
	return all
}

// joined is an item that is one of several inputs made into others.
func joined(a ops.Array, of item) item { return item{Array: a, last: of.last, round: of.round} }

// collects reports whether a list has what was collected.
func (e *evaluation) collects() bool {
	for n := range e.lists {
		if n < len(e.rule.collected) && e.rule.collected[n] >= 0 && e.lists[n][0].input != nil {
			return true
		}
	}
	return false
}

// join joins what each list collected or, where nothing is, the lists.
func (e *evaluation) join(with func([]ops.Array) (ops.Array, error)) error {
	if !e.collects() {
		items := e.heads()
		arrays, err := settled(items)
		if err != nil {
			return err
		}
		a, err := with(arrays)
		e.lists = [][]item{{joined(a, items[0])}}
		return err
	}
	for n, list := range e.lists {
		if e.rule.collected[n] < 0 {
			continue
		}
		arrays, err := settled(list)
		if err != nil {
			return err
		}
		a, err := with(arrays)
		if err != nil {
			return err
		}
		e.lists[n] = []item{joined(a, list[0])}
	}
	return nil
}

// cut takes the one tensor that there is apart, to the keys of to or to what spreads.
func (e *evaluation) cut() error {
	each := len(e.lists) == 1 && len(e.rule.to) > 1
	lists := e.lists
	if each {
		e.lists = nil
	}
	for n, list := range lists {
		it := list[0]
		numbers, err := e.wholes(0, it)
		if err != nil {
			return err
		}
		var parts []ops.Array
		switch dim := ints(numbers)[0]; e.step.Op {
		case "unstack":
			parts, err = ops.Unstack(it.Array, dim)
		case "split":
			parts, err = ops.Split(it.Array, dim, numbers[1:]...)
		case "chunk":
			parts, err = ops.Chunk(it.Array, dim, ints(numbers)[1])
		}
		if err != nil {
			return err
		}
		if each {
			for _, p := range parts {
				e.lists = append(e.lists, []item{joined(p, it)})
			}
			continue
		}
		e.lists[n] = nil
		for _, p := range parts {
			e.lists[n] = append(e.lists[n], joined(p, it))
		}
	}
	if want := len(e.rule.to); each && len(e.lists) != want {
		return e.step.Pos.errorf("%s makes %d tensors%s, and to has %d keys", quote(e.step.Text), len(e.lists), e.where(), want)
	}
	return nil
}

// outputs makes results of what the steps left.
func (e *evaluation) outputs() error {
	r := e.rule
	inputs := make([][]int, len(e.inputs))
	for n, list := range e.inputs {
		for _, f := range list {
			inputs[n] = append(inputs[n], f.key)
		}
	}
	bindings := make(map[string]string, len(r.loop))
	for i, name := range r.loop {
		bindings[name] = e.loop[i]
	}
	output := 0
	for n, list := range e.lists {
		t := r.to[n]
		if want := len(r.spread.list); r.spreads && r.spread.kind == choice && len(list) != want {
			return t.pos.errorf("%s has %d words, and %d tensors come of %s", r.spread, want, len(list), e.driverKey(e.run))
		}
		if len(e.results)+len(list) > maxKeys {
			return t.pos.errorf("the view would have more than %d tensors", maxKeys)
		}
		for i := range list {
			if err := list[i].settle(); err != nil {
				return r.Pos.errorf("%s: %v", e.driverKey(e.run), err)
			}
			name := t.fill(func(h int) string {
				if k := slices.Index(r.loop, t.holes[h].name); k >= 0 {
					return e.loop[k]
				}
				if r.spread.kind == choice {
					return r.spread.list[i]
				}
				return strconv.Itoa(i)
			})
			if err := e.named(t.pos, e.names[e.inputs[0][0].key], name); err != nil {
				return err
			}
			e.results = append(e.results, Result{
				Key: Key{name, e.set, list[i].Array}, Inputs: inputs, Rule: r, Output: output, Bindings: bindings, Casts: e.casts, file: e.file,
			})
			e.casts = nil
			output++
		}
	}
	return nil
}
