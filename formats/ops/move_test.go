package ops

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// model is an array in memory, moved by its definition: each element by itself.
type model struct {
	shape    []int64
	elements [][]byte
}

// build makes an array of a shape whose element at an index is what from says.
func build(shape []int64, from func(index []int64) []byte) model {
	m := model{shape: slices.Clone(shape)}
	count := int64(1)
	for _, n := range shape {
		count *= n
	}
	index := make([]int64, len(shape))
	for range count {
		m.elements = append(m.elements, from(index))
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return m
}

func (m model) at(index ...int64) []byte {
	at := int64(0)
	for i, k := range index {
		at = at*m.shape[i] + k
	}
	return m.elements[at]
}

func (m model) permute(dims []int) model {
	shape := make([]int64, len(dims))
	for i, d := range dims {
		shape[i] = m.shape[d]
	}
	return build(shape, func(index []int64) []byte {
		old := make([]int64, len(dims))
		for i, d := range dims {
			old[d] = index[i]
		}
		return m.at(old...)
	})
}

func (m model) slice(axis int, from, to, step int64) model {
	shape := slices.Clone(m.shape)
	shape[axis] = max(0, (to-from+step-1)/step)
	return build(shape, func(index []int64) []byte {
		old := slices.Clone(index)
		old[axis] = from + index[axis]*step
		return m.at(old...)
	})
}

func concatModels(axis int, parts ...model) model {
	shape := slices.Clone(parts[0].shape)
	shape[axis] = 0
	for _, p := range parts {
		shape[axis] += p.shape[axis]
	}
	return build(shape, func(index []int64) []byte {
		old := slices.Clone(index)
		for _, p := range parts {
			if old[axis] < p.shape[axis] {
				return p.at(old...)
			}
			old[axis] -= p.shape[axis]
		}
		panic("beyond the end")
	})
}

func (m model) reshape(shape []int64) model { return model{slices.Clone(shape), m.elements} }

// pair is an array and what it should be.
type pair struct {
	Array
	model
	steps []string
}

func (p pair) then(t *testing.T, a Array, err error, m model, format string, args ...any) pair {
	t.Helper()
	steps := append(slices.Clone(p.steps), fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatalf("%v: %v", steps, err)
	}
	if !slices.Equal(a.Shape, m.shape) {
		t.Fatalf("%v: shape %v, want %v", steps, a.Shape, m.shape)
	}
	return pair{a, m, steps}
}

// compare reads a at random offsets, and whole.
func (p pair) compare(t *testing.T, rng *rand.Rand) {
	t.Helper()
	want := bytes.Join(p.elements, nil)
	if p.Data.Size() != int64(len(want)) {
		t.Fatalf("%v: %d bytes, want %d", p.steps, p.Data.Size(), len(want))
	}
	for i := range 6 {
		off, n := 0, len(want)+1
		if i > 0 {
			off = rng.IntN(len(want) + 1)
			n = rng.IntN(len(want) - off + 2)
		}
		b := make([]byte, n)
		k, err := p.Data.ReadAt(b, int64(off))
		if end := min(off+n, len(want)); k != end-off || !bytes.Equal(b[:k], want[off:end]) || err != nil && err != io.EOF {
			t.Fatalf("%v: %d bytes at %d: %d, %v\n got % x\nwant % x", p.steps, n, off, k, err, b[:k], want[off:end])
		}
	}
}

// arbitrary is an array in C order, or one that the source has in another order, or with
// its bytes swapped.
func arbitrary(t *testing.T, rng *rand.Rand, dtype checkpoint.DType, shape []int64) pair {
	_, width := dtype.Block()
	count, err := segment.Count(shape)
	if err != nil {
		t.Fatal(err)
	}
	head := rng.Int64N(5)
	src := make([]byte, head+count*width)
	for i := range src {
		src[i] = byte(rng.Uint32())
	}
	m := build(shape, func([]int64) []byte { return nil })
	for i := range m.elements {
		m.elements[i] = src[head+int64(i)*width:][:width]
	}
	d := segment.Data(segment.NewRange(bytes.NewReader(src), head, count*width))
	p := pair{Array{DType: dtype, Shape: shape, Data: d, Bands: segment.NewBands(1 << 20)}, m, []string{fmt.Sprint(dtype, shape)}}
	if rng.IntN(3) == 0 && width > 1 {
		p.Data = segment.Swap(d, width)
		p.model = build(shape, func(index []int64) []byte {
			e := slices.Clone(m.at(index...))
			slices.Reverse(e)
			return e
		})
		p.steps[0] += " swapped"
	}
	return p
}

func sizes(rng *rand.Rand) []int64 {
	shape := make([]int64, rng.IntN(5))
	for i := range shape {
		shape[i] = []int64{1, 2, 3, 4, 5, 6, 8}[rng.IntN(7)]
		if rng.IntN(60) == 0 {
			shape[i] = 0
		}
	}
	return shape
}

// step does something to an array.
func step(t *testing.T, rng *rand.Rand, p pair) pair {
	t.Helper()
	dims := len(p.Shape)
	pick := func() (dim, axis int) {
		axis = rng.IntN(dims)
		return axis - dims*rng.IntN(2), axis
	}
	kind := rng.IntN(9)
	if dims == 0 && kind > 2 {
		kind = rng.IntN(3)
	}
	switch kind {
	case 0:
		order := rng.Perm(dims)
		a, err := Permute(p.Array, order...)
		return p.then(t, a, err, p.permute(order), "permute %v", order)
	case 1:
		// factors in another order, with ones between them
		shape := []int64{}
		for _, n := range p.Shape {
			for f := int64(2); f <= n && rng.IntN(3) > 0; f++ {
				if n%f == 0 {
					shape, n = append(shape, f), n/f
				}
			}
			switch {
			case len(shape) > 0 && rng.IntN(3) == 0:
				shape[len(shape)-1] *= n
			default:
				shape = append(shape, n)
			}
		}
		if len(shape) > 7 {
			shape = []int64{int64(len(p.elements))}
		}
		asked := slices.Clone(shape)
		if len(shape) > 0 && len(p.elements) > 0 && rng.IntN(2) == 0 {
			asked[rng.IntN(len(shape))] = -1
		}
		a, err := Reshape(p.Array, asked...)
		return p.then(t, a, err, p.reshape(shape), "reshape %v", asked)
	case 2:
		axis := rng.IntN(dims + 1)
		q := p.model.reshape(slices.Insert(slices.Clone(p.Shape), axis, 1))
		a, err := Stack(axis-rng.IntN(2)*(dims+1), p.Array, p.Array)
		if len(p.elements) > 3000 {
			return p
		}
		return p.then(t, a, err, concatModels(axis, q, q), "stack %d", axis)
	case 3, 4:
		dim, axis := pick()
		n := p.Shape[axis]
		from := rng.Int64N(n + 1)
		to, by := from+rng.Int64N(n-from+1), 1+rng.Int64N(3)
		askedFrom, askedTo := from, to
		if from > 0 && rng.IntN(2) == 0 && from < n {
			askedFrom -= n
		}
		if to == n && rng.IntN(2) == 0 {
			askedTo = math.MaxInt64
		}
		if rng.IntN(10) == 0 {
			by = math.MaxInt64 - 1
		}
		a, err := Slice(p.Array, dim, askedFrom, askedTo, by)
		return p.then(t, a, err, p.slice(axis, from, to, min(by, 1000)), "slice %d %d:%d:%d", dim, askedFrom, askedTo, by)
	case 5:
		dim, axis := pick()
		at := rng.Int64N(p.Shape[axis] + 1)
		parts, err := Split(p.Array, dim, at, -1)
		if err != nil {
			t.Fatalf("%v: split: %v", p.steps, err)
		}
		a, err := Concat(dim, parts[1], parts[0])
		n := p.Shape[axis]
		return p.then(t, a, err, concatModels(axis, p.slice(axis, at, n, 1), p.slice(axis, 0, at, 1)), "turn %d at %d", dim, at)
	case 6:
		dim, axis := pick()
		parts, err := Unstack(p.Array, dim)
		if err != nil {
			t.Fatalf("%v: unstack: %v", p.steps, err)
		}
		if len(parts) == 0 {
			return p
		}
		i := rng.IntN(len(parts))
		m := p.slice(axis, int64(i), int64(i)+1, 1)
		return p.then(t, parts[i], nil, m.reshape(slices.Delete(slices.Clone(p.Shape), axis, axis+1)), "unstack %d, number %d", dim, i)
	case 7:
		dim, axis := pick()
		n := p.Shape[axis]
		blocks := int64(1)
		for _, b := range []int64{2, 3, 4, 6, 8} {
			if n%b == 0 && rng.IntN(2) == 0 {
				blocks = b
			}
		}
		order := rng.Perm(int(blocks))
		a, err := Reorder(p.Array, dim, blocks, order...)
		parts := make([]model, blocks)
		for i, k := range order {
			parts[i] = p.slice(axis, int64(k)*n/blocks, int64(k+1)*n/blocks, 1)
		}
		return p.then(t, a, err, concatModels(axis, parts...), "reorder %d %d %v", dim, blocks, order)
	}
	dim, axis := pick()
	n := p.Shape[axis]
	a := rng.Int64N(n + 1)
	of := 1 + rng.IntN(4)
	rank := rng.IntN(of)
	got, err := Rank(p.Array, dim, rank, of, a, n-a)
	var parts []model
	for _, part := range []model{p.slice(axis, 0, a, 1), p.slice(axis, a, n, 1)} {
		size := part.shape[axis]
		each := (size + int64(of) - 1) / int64(of)
		parts = append(parts, part.slice(axis, min(int64(rank)*each, size), min(int64(rank+1)*each, size), 1))
	}
	return p.then(t, got, err, concatModels(axis, parts...), "rank %d of %d of %d, dimension %d", rank, of, a, dim)
}

// TestChains does several movements in turn, and reads what they made.
func TestChains(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 3000 {
		dtype := []checkpoint.DType{checkpoint.U8, checkpoint.BF16, checkpoint.F32, checkpoint.F64, checkpoint.C128}[rng.IntN(5)]
		p := arbitrary(t, rng, dtype, sizes(rng))
		for range 1 + rng.IntN(6) {
			p = step(t, rng, p)
		}
		p.compare(t, rng)
	}
}

// TestOneGather composes movements of one source, whose reads are few then.
func TestOneGather(t *testing.T) {
	src := make([]byte, 4*16*8*32)
	a := Array{DType: checkpoint.F32, Shape: []int64{128, 32}, Data: segment.NewRange(bytes.NewReader(src), 0, int64(len(src)))}
	must := func(a Array, err error) Array {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	// Llama's rotary order, to and fro, is the source again.
	b := must(Reshape(must(Permute(must(Reshape(a, 16, 4, 2, 32)), 0, 2, 1, 3)), 128, 32))
	if _, ok := b.Data.(*segment.Strided); !ok || b.gathers != 1 {
		t.Errorf("a permutation is %T of %d gathers", b.Data, b.gathers)
	}
	back := must(Reshape(must(Permute(must(Reshape(b, 16, 2, 4, 32)), 0, 2, 1, 3)), 128, 32))
	if r, ok := back.Data.(*segment.Range); !ok || r.N != int64(len(src)) || back.gathers != 0 {
		t.Errorf("a permutation and its inverse are %T of %d gathers", back.Data, back.gathers)
	}
	// What was cast is moved before that, in one gather, and slices of slices too.
	c := must(must(Transpose(a)).To(checkpoint.F16))
	for range 20 {
		c = must(Transpose(must(Slice(c, 0, 0, math.MaxInt64, 1))))
	}
	e, ok := c.Data.(*segment.Elementwise)
	if !ok || c.gathers != 1 {
		t.Fatalf("transposes of a cast are %T of %d gathers", c.Data, c.gathers)
	}
	if _, ok := e.From.(*segment.Strided); !ok {
		t.Errorf("what is cast is %T", e.From)
	}
	// A reshape that joins what does not lie together takes a gather each time.
	d := must(Reshape(a, 32, 128))
	var err error
	for i := range maxGathers + 1 {
		if d, err = Transpose(d); err != nil {
			break
		}
		if d = must(Reshape(d, 32, 128)); d.gathers != i+1 {
			t.Errorf("%d reshapes are %d gathers", i+1, d.gathers)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "cannot be made one") {
		t.Errorf("many gathers of each other: %v", err)
	}
}

// TestEmpty moves arrays without elements, whose other sizes are of no account.
func TestEmpty(t *testing.T) {
	for _, d := range []segment.Data{segment.Literal(nil), segment.NewRange(bytes.NewReader(nil), 7, 0)} {
		a := Array{DType: checkpoint.F32, Shape: []int64{1 << 30, 0, 1 << 20, 4}, Data: d}
		b, err := Permute(a, 3, 2, 1, 0)
		if err == nil {
			b, err = Slice(b, 1, 5, 1<<20, 3)
		}
		if err == nil {
			b, err = Concat(0, b, b)
		}
		if err == nil {
			b, err = Reshape(b, 0, 1<<30)
		}
		if err == nil {
			b, err = Add(b, b, 1)
		}
		if err == nil {
			b, err = Transpose(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Data.Size() != 0 || !slices.Equal(b.Shape, []int64{1 << 30, 0}) {
			t.Errorf("%v of %d bytes", b, b.Data.Size())
		}
	}
}

// TestMoveRefuses asks for movements that there are not.
func TestMoveRefuses(t *testing.T) {
	f := func(d checkpoint.DType, shape ...int64) Array {
		count, _ := segment.Count(shape)
		elements, size := d.Block()
		return Array{DType: d, Shape: shape, Data: segment.NewRange(bytes.NewReader(nil), 0, count/elements*size)}
	}
	a := f(checkpoint.F32, 4, 6)
	one := func(a Array, err error) error { return err }
	many := func(a []Array, err error) error { return err }
	deep := f(checkpoint.F32)
	deep.Shape = slices.Repeat([]int64{1}, 65)
	huge := Array{DType: checkpoint.U8, Shape: []int64{1 << 62, 0}, Data: segment.Literal(nil)}
	for name, err := range map[string]error{
		"permute [0]":                  one(Permute(a, 0)),
		"permute [0 0]":                one(Permute(a, 0, 0)),
		"permute [0 2]":                one(Permute(a, 0, 2)),
		"transpose a vector":           one(Transpose(f(checkpoint.F32, 4))),
		"reshape to 23":                one(Reshape(a, 23)),
		"reshape to 5, -1":             one(Reshape(a, 5, -1)),
		"reshape to -1, -1":            one(Reshape(a, -1, -1)),
		"reshape to -2":                one(Reshape(a, -2, -12)),
		"reshape to 2^40, 2^40":        one(Reshape(a, 1<<40, 1<<40)),
		"reshape to 0, -1":             one(Reshape(f(checkpoint.F32, 0), 0, -1)),
		"reshape to 65 dimensions":     one(Reshape(f(checkpoint.F32, 1), slices.Repeat([]int64{1}, 65)...)),
		"65 dimensions":                one(Permute(deep, make([]int, 65)...)),
		"slice step 0":                 one(Slice(a, 0, 0, 1, 0)),
		"slice step -1":                one(Slice(a, 0, 0, 1, -1)),
		"slice dimension 2":            one(Slice(a, 2, 0, 1, 1)),
		"slice a number":               one(Slice(f(checkpoint.F32), 0, 0, 1, 1)),
		"concat nothing":               one(Concat(0)),
		"concat dtypes":                one(Concat(0, a, f(checkpoint.F16, 4, 6))),
		"concat shapes":                one(Concat(0, a, f(checkpoint.F32, 4, 7))),
		"concat dimensions":            one(Concat(0, a, f(checkpoint.F32, 24))),
		"concat numbers":               one(Concat(0, f(checkpoint.F32))),
		"concat beyond 2^63":           one(Concat(0, huge, huge, huge)),
		"stack nothing":                one(Stack(0)),
		"stack shapes":                 one(Stack(0, a, f(checkpoint.F32, 6, 4))),
		"stack dimension 3":            one(Stack(3, a)),
		"stack dimension -4":           one(Stack(-4, a)),
		"unstack 2":                    many(Unstack(a, 2)),
		"unstack 2^40":                 many(Unstack(f(checkpoint.F32, 1<<40), 0)),
		"split 3":                      many(Split(a, 0, 3)),
		"split 5, -1":                  many(Split(a, 0, 5, -1)),
		"split -1, -1":                 many(Split(a, 0, -1, -1)),
		"split beyond 2^63":            many(Split(a, 0, 1<<62, 1<<62, 1<<62, 1<<62, 4)),
		"chunk 3":                      many(Chunk(a, 0, 3)),
		"chunk 0":                      many(Chunk(a, 0, 0)),
		"reorder 3 blocks":             one(Reorder(a, 0, 3, 0, 1, 2)),
		"reorder with a block missing": one(Reorder(a, 0, 2, 0)),
		"reorder with a block twice":   one(Reorder(a, 0, 2, 0, 0)),
		"reorder with block 2":         one(Reorder(a, 0, 2, 0, 2)),
		"rank 2 of 2":                  one(Rank(a, 0, 2, 2)),
		"rank 0 of 0":                  one(Rank(a, 0, 0, 0)),
		"rank of others":               one(Rank(a, 0, 0, 2, 3)),
		"another size":                 one(Slice(Array{DType: checkpoint.F32, Shape: []int64{3}, Data: segment.Literal("abcdefgh")}, 0, 0, 1, 1)),
		"a size below zero":            one(Slice(Array{DType: checkpoint.F32, Shape: []int64{-2, -1}, Data: segment.Literal("abcdefgh")}, 0, 0, 1, 1)),
		"no dtype":                     one(Slice(Array{Shape: []int64{2}, Data: segment.Literal("ab")}, 0, 0, 1, 1)),
		// Blocks.
		"transpose Q4_K":          one(Transpose(f(checkpoint.Q4K, 256, 256))),
		"cut a block":             one(Slice(f(checkpoint.Q4K, 2, 512), 1, 0, 128, 1)),
		"step over blocks":        one(Slice(f(checkpoint.Q4K, 2, 512), 1, 0, 512, 2)),
		"unstack elements":        many(Unstack(f(checkpoint.F4, 2, 4), 1)),
		"stack elements":          one(Stack(2, f(checkpoint.F4, 2, 4))),
		"reshape to half a block": one(Reshape(f(checkpoint.Q4K, 2, 512), 8, 128)),
		"rows of half a byte":     one(Slice(f(checkpoint.F4, 2, 3), 0, 0, 1, 1)),
		"split a block":           many(Chunk(f(checkpoint.Q80, 2, 32), 1, 2)),
		"F6 of three":             one(Concat(0, f(checkpoint.F6E2M3, 4, 2))),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if s := err.Error(); strings.Contains(s, "\n") || len(s) > 200 {
			t.Errorf("%s: %q", name, s)
		}
	}
}

// TestBlocks moves rows of blocks.
func TestBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, dtype := range []checkpoint.DType{checkpoint.Q4K, checkpoint.Q80, checkpoint.F4, checkpoint.F6E3M2} {
		elements, _ := dtype.Block()
		for range 50 {
			// The model has a block where the array has elements.
			p := arbitrary(t, rng, dtype, []int64{3, 4, 2, 5})
			for p.Data.Size() > 0 && strings.Contains(p.steps[0], "swapped") {
				p = arbitrary(t, rng, dtype, []int64{3, 4, 2, 5})
			}
			p.Shape = []int64{3, 4, 2, 5 * elements}
			m := p.permute([]int{2, 0, 1, 3}).slice(1, 1, 3, 1).slice(3, 1, 5, 1).reshape([]int64{2, 8, 4})
			m = concatModels(2, m, m)
			a, err := Permute(p.Array, 2, 0, 1, -1)
			if err == nil {
				a, err = Slice(a, 1, 1, 3, 1)
			}
			if err == nil {
				a, err = Slice(a, 3, elements, math.MaxInt64, 1)
			}
			if err == nil {
				a, err = Reshape(a, 2, 8, -1)
			}
			if err == nil {
				a, err = Concat(2, a, a)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(a.Shape, []int64{2, 8, 8 * elements}) {
				t.Fatalf("shape %v", a.Shape)
			}
			pair{a, m, []string{dtype.String()}}.compare(t, rng)
		}
	}
}

// hung is a source whose reads end with their context.
type hung struct{}

func (hung) ReadAt([]byte, int64) (int, error) { panic("read without a context") }

func (hung) ReadAtContext(ctx context.Context, _ []byte, _ int64) (int, error) {
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

// TestMovedReads sends ways to read through movements.
func TestMovedReads(t *testing.T) {
	a := Array{DType: checkpoint.F32, Shape: []int64{64, 64}, Data: segment.NewRange(hung{}, 0, 64*64*4), Bands: segment.NewBands(1 << 20)}
	b, err := Transpose(a)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Concat(1, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.To(checkpoint.BF16); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := segment.Fill(segment.ReadUntil(ctx), c.Data, make([]byte, 999), 1); err != context.Canceled {
		t.Errorf("a read that was given up: %v", err)
	}
	if err := segment.Fill(segment.ReadCached, c.Data, make([]byte, 999), 1); err != segment.ErrNotCached {
		t.Errorf("what is not in memory: %v", err)
	}
}
