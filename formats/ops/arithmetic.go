package ops

import (
	"errors"
	"fmt"
	"math"

	"wfs/formats/checkpoint"
)

// errWeight is what a weight is refused with that is a number of no use.
var errWeight = errors.New("a weight has to be a finite number")

func finiteWeights(weights ...float64) error {
	for _, w := range weights {
		if f := float32(w); f-f != 0 {
			return errWeight
		}
	}
	return nil
}

// Scale is a·w.
func Scale(a Array, w float64) (Array, error) {
	return one("scale", a, foldStep{do: best.scale, p: float32(w), scale: true})
}

// Add is fma(b, w, a). What was scaled, and is added to, begins as fma(a, w, 0): Scale and
// then Add, any number of times, is Linear, also in the signs of zeros.
func Add(a, b Array, w float64) (Array, error) {
	if f, ok := a.Data.(*fold); ok && len(f.steps) == 1 && f.steps[0].scale && a.DType == checkpoint.F32 {
		s := f.steps[0]
		f = &fold{reads: f.reads, nested: f.nested, steps: []foldStep{{do: best.add, p: s.p, x: f.start}}}
		var err error
		if a, err = f.array(a); err != nil {
			return Array{}, within("add", err)
		}
	}
	return one("add", a, foldStep{do: best.add, p: float32(w)}, b)
}

// Sub is a − b.
func Sub(a, b Array) (Array, error) { return one("sub", a, foldStep{do: best.add, p: -1}, b) }

// Lerp is a at t = 0, b at t = 1, and between them on the line, as torch.lerp has it.
func Lerp(a, b Array, t float64) (Array, error) {
	// aten/src/ATen/native/Lerp.h: from the end that is nearer.
	if float32(math.Abs(t)) < 0.5 {
		return one("lerp", a, foldStep{do: best.near, p: float32(t)}, b)
	}
	return one("lerp", a, foldStep{do: best.far, p: float32(t) - 1}, b)
}

// Nearswap moves a towards b by no more than t where they are far from each other, and all
// the way where they are nearer than t: w·b + (1−w)·a with w = t/|a−b|, cut to [0, 1]. It is
// mergekit's (merge_methods/nearswap.py) with dtype: float32, bit for bit; there t/x is (1/x)·t.
func Nearswap(a, b Array, t float64) (Array, error) {
	if t < 0 {
		return Array{}, fmt.Errorf("nearswap: t is %g, and has to be 0 or more", t)
	}
	return one("nearswap", a, foldStep{do: best.nearswap, p: float32(t)}, b)
}

// AddDifference is a + (b−c)·w, each operation rounded: what b has learned since c, added to
// a. Where c is a it is mergekit's task_arithmetic of one model with dtype: float32.
func AddDifference(a, b, c Array, w float64) (Array, error) {
	return one("add difference", a, foldStep{do: best.difference, p: float32(w)}, b, c)
}

// one is one step on a.
func one(name string, a Array, s foldStep, operands ...Array) (Array, error) {
	err := finiteWeights(float64(s.p))
	if err == nil {
		var f *fold
		if f, err = foldOf(a); err == nil {
			a, err = f.then(a, s, operands...)
		}
	}
	if err != nil {
		return Array{}, within(name, err)
	}
	return a, nil
}

// chain makes steps one after the other, until one fails.
type chain struct {
	Array
	*fold
	err error
}

func (c *chain) then(do arith, p float64, operands ...Array) {
	if c.err != nil {
		return
	}
	if c.Array, c.err = c.fold.then(c.Array, foldStep{do: do, p: float32(p)}, operands...); c.err == nil {
		c.fold = c.Array.Data.(*fold)
	}
}

// sums adds up arrays by do, from zeros on, and weights.
func sums(like Array, do arith, weights []float64, parts []Array, more ...Array) (c chain, total float32) {
	c = chain{Array: like, fold: &fold{}}
	if len(weights) != len(parts) {
		c.err = fmt.Errorf("%d weights for %d arrays", len(weights), len(parts))
		return c, 0
	}
	if c.err = finiteWeights(weights...); c.err == nil {
		_, c.err = like.check()
	}
	for i, part := range parts {
		c.then(do, weights[i], append([]Array{part}, more...)...)
		total += float32(weights[i])
	}
	return c, total
}

// Linear is the sum of arrays, each times its weight, and divided by the sum of the weights
// where normalize is set. It is mergekit's linear (merge_methods/linear.py), bit for bit:
//
//	sum = 0;  sum = fma(parts[i], weights[i], sum)  for i = 0, 1, 2 …
func Linear(weights []float64, normalize bool, parts ...Array) (Array, error) {
	if len(parts) == 0 {
		return Array{}, errors.New("linear: no arrays")
	}
	c, total := sums(parts[0], best.add, weights, parts)
	if normalize && c.err == nil {
		if total == 0 || total-total != 0 {
			c.err = fmt.Errorf("the weights sum to %g, and cannot be normalized", total)
		}
		if total != 1 { // by which a division changes nothing
			c.then(best.divide, float64(total))
		}
	}
	return c.Array, within("linear", c.err)
}

// TaskArithmetic is base plus the sum of (parts[i]−base)·weights[i], times lambda; divided by
// the sum of the weights where normalize is set. It is mergekit's task_arithmetic with dtype:
// float32 (merge_methods/generalized_task_arithmetic.py): each operation is rounded.
func TaskArithmetic(base Array, weights []float64, normalize bool, lambda float64, parts ...Array) (Array, error) {
	c, total := sums(base, best.difference, weights, parts, base)
	if c.err == nil {
		c.err = finiteWeights(lambda)
	}
	if normalize {
		if math.Abs(float64(total)) < 1e-8 {
			total = 1
		}
		c.then(best.divide, float64(total))
	}
	if lambda != 1 {
		c.then(best.scale, lambda)
	}
	c.then(best.add, 1, base)
	return c.Array, within("task arithmetic", c.err)
}

// Mean is the average of arrays as stochastic weight averaging takes it, one after the other:
//
//	avg = parts[0];  avg += (parts[n] − avg)/(n+1)  for n = 1, 2 …
//
// For F32 it is torch.optim.swa_utils.AveragedModel's, bit for bit. For narrower dtypes torch
// rounds after each operation, and this does not.
func Mean(parts ...Array) (Array, error) {
	if len(parts) == 0 {
		return Array{}, errors.New("mean: no arrays")
	}
	a, err := floats(parts[0])
	if err != nil {
		return Array{}, within("mean", err)
	}
	c := chain{Array: a, fold: &fold{start: a.Data}}
	c.count(a.Data)
	for n, part := range parts[1:] {
		c.then(best.mean, float64(n+2), part)
	}
	return c.Array, within("mean", c.err)
}
