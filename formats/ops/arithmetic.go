package ops

import (
	"errors"
	"fmt"
	"math"

	"wfs/formats/checkpoint"
)

// checkWeight refuses a weight that is a number of no use.
func checkWeight(w float32) error {
	if w-w != 0 {
		return errors.New("a weight has to be a finite number")
	}
	return nil
}

// Scale is a·w.
func Scale(a Array, w float64) (Array, error) {
	return one("scale", a, foldStep{do: best.scale, p: float32(w), scale: true})
}

// Add is fma(b, w, a). What was scaled, and is added to, begins as fma(a, w, 0): Scale and
// then Add, any number of times, is mergekit's linear with normalize: false
// (merge_methods/linear.py), bit for bit and also in the signs of zeros. With normalize: true
// that divides by the sum of the weights, which changes nothing where it is 1.
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
	err := checkWeight(s.p)
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
	for n, part := range parts[1:] {
		if a, err = one("mean", a, foldStep{do: best.mean, p: float32(n + 2)}, part); err != nil {
			return Array{}, err
		}
	}
	return a, nil
}
