package ops

import (
	"fmt"
	"slices"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// Limits of arithmetic: the steps of one result, how many results may be made of each other
// where they are no steps of one, and how many arrays are read for an element.
const (
	maxSteps  = 4096
	maxNested = 32
	maxReads  = 1 << 16
)

// fold is float32 that begin as those of an array, or as zeros, and are changed step by step
// by those of others. What is added to a fold is a step more: the sum of a hundred
// checkpoints needs the memory of one of two.
type fold struct {
	*segment.Computed
	start  segment.Data // F32; nil is zeros
	steps  []foldStep
	nested int // how many folds a read goes through below this one
	reads  int // how many arrays that are no folds it reads
}

// foldStep is one change of all elements.
type foldStep struct {
	x, y  segment.Data // F32, or nil
	do    arith
	p     float32
	scale bool // it is Scale's
}

// foldBytes is how much of a result is made at once: with what it is made of it stays in the
// second cache, and a read of it costs little beside its bytes.
const foldBytes = 128 << 10

// operand holds what an array has for as much of a result.
var operand = sync.Pool{New: func() any { return new([foldBytes]byte) }}

// foldOf is a as a fold: the one that it is, or one without steps.
func foldOf(a Array) (*fold, error) {
	x, err := floats(a)
	if err != nil {
		return nil, err
	}
	if f, ok := x.Data.(*fold); ok {
		return f, nil
	}
	f := &fold{start: x.Data}
	f.count(x.Data)
	return f, nil
}

// floats is a as float32.
func floats(a Array) (Array, error) {
	count, err := a.check()
	if err != nil {
		return Array{}, err
	}
	if count > 1<<60 {
		return Array{}, fmt.Errorf("%s is larger than a file can be in float32", a)
	}
	return a.To(checkpoint.F32)
}

// count adds a source to what a read of f goes through.
func (f *fold) count(d segment.Data) {
	for {
		switch e := d.(type) {
		case *segment.Elementwise:
			d = e.From
		case *fold:
			f.nested, f.reads = max(f.nested, e.nested+1), f.reads+e.reads
			return
		default:
			f.reads++
			return
		}
	}
}

// then is the array of a fold and a step more, which takes what operands have; a has the shape.
func (f *fold) then(a Array, s foldStep, operands ...Array) (Array, error) {
	g := &fold{start: f.start, nested: f.nested, reads: f.reads}
	for i, operand := range operands {
		if !slices.Equal(operand.Shape, a.Shape) {
			return Array{}, fmt.Errorf("%s and %s have not one shape", a, operand)
		}
		x, err := floats(operand)
		if err != nil {
			return Array{}, err
		}
		if i == 0 {
			s.x = x.Data
		} else {
			s.y = x.Data
		}
		g.count(x.Data)
		a = a.among(operand)
	}
	switch {
	case len(f.steps) >= maxSteps:
		return Array{}, fmt.Errorf("more than %d steps of arithmetic", maxSteps)
	case g.nested > maxNested || g.reads > maxReads:
		return Array{}, fmt.Errorf("arithmetic of results of arithmetic, %d deep, that reads %d arrays", g.nested, g.reads)
	}
	g.steps = append(slices.Clip(f.steps), s)
	return g.array(a)
}

// array is f in the shape of a.
func (f *fold) array(a Array) (Array, error) {
	count, err := segment.Count(a.Shape)
	f.Computed = &segment.Computed{N: count, Unit: 4, Make: f.fill}
	a.DType, a.Data = checkpoint.F32, f
	return a, err
}

// moved is f with the elements of everything that it is made of moved: what is done to each
// element can be done after that too.
func (f *fold) moved(a Array, change func(l *segment.Layout)) (Array, error) {
	g := &fold{nested: f.nested, reads: f.reads, steps: slices.Clone(f.steps)}
	b := a
	gathers := a.gathers
	each := func(d *segment.Data) error {
		if *d == nil {
			return nil
		}
		from := a
		from.Data = *d
		moved, err := from.moved(change)
		if err != nil {
			return err
		}
		*d, b.Shape = moved.Data, moved.Shape
		gathers = max(gathers, moved.gathers)
		return nil
	}
	g.start = f.start
	err := each(&g.start)
	for i := range g.steps {
		if err == nil {
			err = each(&g.steps[i].x)
		}
		if err == nil {
			err = each(&g.steps[i].y)
		}
	}
	if err != nil {
		return Array{}, err
	}
	b.gathers = gathers
	return g.array(b)
}

// fill makes the elements from number first on.
func (f *fold) fill(read segment.ReadFunc, dst []byte, first int64) error {
	x, y := operand.Get().(*[foldBytes]byte), operand.Get().(*[foldBytes]byte)
	defer operand.Put(x)
	defer operand.Put(y)
	off := first * 4
	for len(dst) > 0 {
		n := min(len(dst), foldBytes)
		if f.start == nil {
			clear(dst[:n])
		} else if err := segment.Fill(read, f.start, dst[:n], off); err != nil {
			return err
		}
		for _, s := range f.steps {
			var operands [2][]byte
			for i, d := range []segment.Data{s.x, s.y} {
				if d == nil {
					continue
				}
				operands[i] = [2][]byte{x[:n], y[:n]}[i]
				if err := segment.Fill(read, d, operands[i], off); err != nil {
					return err
				}
			}
			s.do(dst[:n], operands[0], operands[1], s.p, 0)
		}
		dst, off = dst[n:], off+int64(n)
	}
	return nil
}
