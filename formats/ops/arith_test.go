package ops

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// arithmeticOf names the operations of two sets of kernels.
func arithmeticOf(a, b *arithmetic) map[string][2]arith {
	return map[string][2]arith{
		"add": {a.add, b.add}, "near": {a.near, b.near}, "far": {a.far, b.far}, "mean": {a.mean, b.mean}, "difference": {a.difference, b.difference},
		"blend": {a.blend, b.blend}, "scale": {a.scale, b.scale}, "nearswap": {a.nearswap, b.nearswap},
		"beyond": {a.beyond, b.beyond},
	}
}

// sameFloats reports whether two runs of float32 have the same bits, all NaNs alike.
func sameFloats(got, want []byte) (at int, same bool) {
	if len(got) != len(want) {
		return -1, false
	}
	for i := 0; i < len(got); i += 4 {
		a, b := le.Uint32(got[i:]), le.Uint32(want[i:])
		if a != b && (a<<1 <= infinity<<1 || b<<1 <= infinity<<1) {
			return i / 4, false
		}
	}
	return 0, true
}

// TestArithTwins compares assembly with Go for numbers of all kinds, of every short length, at
// every alignment.
func TestArithTwins(t *testing.T) {
	if n := reflect.TypeFor[arithmetic]().NumField(); n != len(arithmeticOf(&inGo, &inGo)) {
		t.Errorf("%d operations", n)
	}
	rng := rand.New(rand.NewPCG(21, 22))
	number := func() uint32 {
		switch rng.IntN(8) {
		case 0:
			return rng.Uint32()
		case 1:
			return []uint32{0, 1 << 31, infinity, infinity | 1<<31, infinity + 1, 1, hidden, 0x3f800000}[rng.IntN(8)]
		}
		return math.Float32bits(float32(rng.NormFloat64()))
	}
	numbers := func(n int) []byte {
		shift := rng.IntN(4)
		b := make([]byte, shift, shift+4*n)
		for range n {
			b = le.AppendUint32(b, number())
		}
		return b[shift:]
	}
	for name, k := range arithmeticOf(&inGo, &best.arithmetic) {
		for n := range 100 {
			if n == 99 {
				n = 50_000
			}
			acc, x, y := numbers(n), numbers(n), numbers(n)
			p, q := math.Float32frombits(number()), math.Float32frombits(number())
			if name == "nearswap" {
				p = float32(math.Abs(float64(p)))
			}
			want, got := slices.Clone(acc), append(slices.Clone(acc), "tail"...)
			k[0](want, x, y, p, q)
			k[1](got[:len(acc)], x, y, p, q)
			if at, same := sameFloats(got[:len(acc)], want); !same {
				t.Fatalf("%s of %d numbers, p %g, q %g: number %d, %x, %x, %x, becomes %x, of the twin %x", name, n, p, q, at,
					le.Uint32(acc[4*at:]), le.Uint32(x[4*at:]), le.Uint32(y[4*at:]), le.Uint32(got[4*at:]), le.Uint32(want[4*at:]))
			}
			if string(got[len(acc):]) != "tail" {
				t.Fatalf("%s of %d numbers writes past them", name, n)
			}
		}
	}
}

// TestSumTwins compares the sums of assembly with those of Go.
func TestSumTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	for n := range 60 {
		x, y := make([]byte, 3, 3+4*n), make([]byte, 1, 1+4*n)
		for range n {
			x = le.AppendUint32(x, math.Float32bits(float32(rng.NormFloat64()*math.Exp(20*rng.NormFloat64()))))
			y = le.AppendUint32(y, math.Float32bits(float32(rng.NormFloat64())))
		}
		got, want := sumLanes{{1, 2}, {0, 3}}, sumLanes{{1, 2}, {0, 3}}
		best.sums(&got, x[3:], y[1:])
		addProducts(&want, x[3:], y[1:])
		if got != want {
			t.Fatalf("sums of %d numbers: %v, of the twin %v", n, got, want)
		}
	}
}

// weights makes an array of normal numbers, and the float32 that they are.
func weights(t testing.TB, rng *rand.Rand, dtype checkpoint.DType, shape ...int64) (Array, []float32) {
	count, err := segment.Count(shape)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 0, 8*count)
	for range count {
		w := float32(rng.NormFloat64())
		switch dtype {
		case checkpoint.F64:
			b = le.AppendUint64(b, math.Float64bits(float64(w)))
		case checkpoint.F32:
			b = le.AppendUint32(b, math.Float32bits(w))
		case checkpoint.F16, checkpoint.BF16:
			b = le.AppendUint16(b, uint16(formats[dtype].round(math.Float32bits(w))))
		default:
			b = append(b, byte(formats[dtype].round(math.Float32bits(w))))
		}
	}
	values := float32s(b)
	if dtype != checkpoint.F32 {
		values = float32s(cast(t, b, dtype, checkpoint.F32))
	}
	return Array{DType: dtype, Shape: shape, Data: segment.NewRange(bytes.NewReader(b), 0, int64(len(b)))}, values
}

// wholeOf reads an array of float32, and then pieces of it, which have to be the same.
func wholeOf(t testing.TB, rng *rand.Rand, a Array) []float32 {
	t.Helper()
	if _, err := a.check(); err != nil || a.DType != checkpoint.F32 {
		t.Fatalf("%s: %v", a, err)
	}
	whole := make([]byte, a.Data.Size())
	if err := segment.ReadFull(a.Data, whole, 0); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		off := rng.IntN(len(whole) + 1)
		p := make([]byte, rng.IntN(len(whole)-off+1))
		if n, err := a.Data.ReadAt(p, int64(off)); n != len(p) || !bytes.Equal(p, whole[off:off+n]) {
			t.Fatalf("%d bytes at %d are others than those of the whole: %v", len(p), off, err)
		}
	}
	return float32s(whole)
}

// TestArithmetic computes with every pair of dtypes, and compares with the formulas.
func TestArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	dtypes := []checkpoint.DType{checkpoint.F64, checkpoint.F32, checkpoint.F16, checkpoint.BF16, checkpoint.F8E4M3, checkpoint.F8E5M2}
	for _, da := range dtypes {
		for _, db := range dtypes {
			for _, shape := range [][]int64{{}, {3}, {7, 11}, {5, 0, 2}, {150, 33, 17}} {
				if len(shape) == 3 && shape[0] > 5 && da != db {
					continue
				}
				a, x := weights(t, rng, da, shape...)
				b, y := weights(t, rng, db, shape...)
				c, z := weights(t, rng, checkpoint.F32, shape...)
				for name, op := range map[string]struct {
					of   func() (Array, error)
					want func(x, y, z float32) float32
				}{
					"scale":     {func() (Array, error) { return Scale(a, 0.3) }, func(x, _, _ float32) float32 { return x * 0.3 }},
					"add":       {func() (Array, error) { return Add(a, b, 0.7) }, func(x, y, _ float32) float32 { return fma32(y, 0.7, x) }},
					"sub":       {func() (Array, error) { return Add(a, b, -1) }, func(x, y, _ float32) float32 { return x - y }},
					"lerp 0.3":  {func() (Array, error) { return Lerp(a, b, 0.3) }, func(x, y, _ float32) float32 { return fma32(0.3, y-x, x) }},
					"lerp 0.75": {func() (Array, error) { return Lerp(a, b, 0.75) }, func(x, y, _ float32) float32 { return fma32(-0.25, y-x, y) }},
					"lerp 1":    {func() (Array, error) { return Lerp(a, b, 1) }, func(_, y, _ float32) float32 { return y }},
					"mean": {func() (Array, error) { return Mean(a, b, c) }, func(x, y, z float32) float32 {
						m := x + (y-x)/2
						return m + (z-m)/3
					}},
					"difference": {func() (Array, error) { return AddDifference(a, b, c, 0.5) }, func(x, y, z float32) float32 { return x + (y-z)*0.5 }},
					"linear": {func() (Array, error) { return linear([]float64{0.25, 0.5, 3}, a, b, c) }, func(x, y, z float32) float32 {
						return fma32(z, 3, fma32(y, 0.5, x*0.25))
					}},
					"linear of 2": {func() (Array, error) { return linear([]float64{0.25, 0.1}, a, b) }, func(x, y, _ float32) float32 {
						return fma32(y, 0.1, x*0.25)
					}},
					"of results": {func() (Array, error) {
						s, err := Add(a, b, -1)
						u, err2 := Lerp(b, c, 0.25)
						if err != nil || err2 != nil {
							return s, fmt.Errorf("%v, %v", err, err2)
						}
						return Add(s, u, 2)
					}, func(x, y, z float32) float32 { return fma32(fma32(0.25, z-y, y), 2, x-y) }},
				} {
					r, err := op.of()
					if err != nil {
						t.Fatalf("%s of %s and %s: %v", name, a, b, err)
					}
					if !slices.Equal(r.Shape, shape) {
						t.Fatalf("%s has shape %v", name, r.Shape)
					}
					for i, got := range wholeOf(t, rng, r) {
						if want := op.want(x[i], y[i], z[i]); got != want {
							t.Fatalf("%s of %s and %s: number %d is %g, want %g", name, a, b, i, got, want)
						}
					}
				}
			}
		}
	}
}

// linear is the sum of arrays, each times its weight, as rules have it: scaled, then added to.
func linear(weights []float64, parts ...Array) (Array, error) {
	a, err := Scale(parts[0], weights[0])
	for i := 1; i < len(parts) && err == nil; i++ {
		a, err = Add(a, parts[i], weights[i])
	}
	return a, err
}

// TestSignsOfZeros scales, and adds to what was scaled.
func TestSignsOfZeros(t *testing.T) {
	zero := Array{DType: checkpoint.F32, Shape: []int64{1}, Data: segment.Literal("\x00\x00\x00\x80")}
	scaled, err := Scale(zero, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	added, err := Add(scaled, zero, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for name, a := range map[string]Array{"scaled": scaled, "added": added} {
		if got := math.Signbit(float64(wholeOf(t, rng, a)[0])); got != (name == "scaled") {
			t.Errorf("%s: a zero below zero is %v", name, got)
		}
	}
}

// TestManySteps adds hundreds of arrays: that is one fold, and moved it is one of gathers.
func TestManySteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	sum, want := weights(t, rng, checkpoint.BF16, 4, 6)
	for range 300 {
		b, y := weights(t, rng, checkpoint.F16, 4, 6)
		var err error
		if sum, err = Add(sum, b, 0.01); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i] = fma32(y[i], 0.01, want[i])
		}
	}
	f, ok := sum.Data.(*fold)
	if !ok || len(f.steps) != 300 || f.nested != 0 || f.reads != 301 {
		t.Fatalf("the sum is %T", sum.Data)
	}
	moved, err := Transpose(sum)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := moved.Data.(*fold); !ok || moved.gathers != 1 {
		t.Errorf("a transposed sum is %T of %d gathers", moved.Data, moved.gathers)
	}
	for i, got := range wholeOf(t, rng, moved) {
		if got != want[i%4*6+i/4] {
			t.Fatalf("number %d is %g, want %g", i, got, want[i%4*6+i/4])
		}
	}
	// Whose results are made of each other is counted.
	deep := sum
	for range 40 {
		if deep, err = Add(deep, deep, 1); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "arithmetic of results") {
		t.Errorf("a sum of sums of sums: %v", err)
	}
}

// TestRows computes what needs sums of whole rows, short and long ones.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	near := func(what string, i int, got float32, want, tolerance float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > tolerance {
			t.Fatalf("%s: number %d is %g, want %g", what, i, got, want)
		}
	}
	for _, shape := range [][]int64{{1}, {7}, {3, 5}, {40, 3, 3}, {2, 3, 12_345}, {40_001}, {0, 4}} {
		a, x := weights(t, rng, checkpoint.BF16, shape...)
		b, y := weights(t, rng, checkpoint.F32, shape...)
		for _, rows := range []bool{false, true} {
			r, err := slerp(a, b, 0.3, rows)
			if err != nil {
				t.Fatal(err)
			}
			got := wholeOf(t, rng, r)
			length := len(x)
			if rows && shape[0] > 0 {
				length /= int(shape[0])
			}
			for from := 0; from < len(x); from += length {
				var xx, yy, xy float64
				for i := from; i < from+length; i++ {
					xx, yy, xy = xx+float64(x[i])*float64(x[i]), yy+float64(y[i])*float64(y[i]), xy+float64(x[i])*float64(y[i])
				}
				theta := math.Acos(xy / math.Sqrt(xx*yy))
				p, q := math.Sin(0.7*theta)/math.Sin(theta), math.Sin(0.3*theta)/math.Sin(theta)
				if math.Abs(math.Cos(theta)) > 0.9995 {
					p, q = 0.7, 0.3
				}
				for i := from; i < from+length; i++ {
					near(fmt.Sprintf("slerp %v", shape), i, got[i], p*float64(x[i])+q*float64(y[i]), 1e-6*(math.Abs(p*float64(x[i]))+math.Abs(q*float64(y[i]))))
				}
			}
		}
		// A length along each dimension, and one for all.
		for axis := -1; axis < len(shape); axis++ {
			lengths := slices.Repeat([]int64{1}, len(shape))
			if axis >= 0 {
				lengths[axis] = shape[axis]
			}
			g, h := weights(t, rng, checkpoint.F16, lengths...)
			w, err := WeightNorm(g, a)
			if err != nil {
				t.Fatal(err)
			}
			inner, n := 1, 1
			if axis >= 0 {
				for _, s := range shape[axis+1:] {
					inner *= int(s)
				}
				n = int(shape[axis])
			}
			squares := make([]float64, n)
			for i, v := range x {
				squares[i/inner%n] += float64(v) * float64(v)
			}
			for i, got := range wholeOf(t, rng, w) {
				want := float64(x[i]) * float64(h[i/inner%n]) / math.Sqrt(squares[i/inner%n])
				near(fmt.Sprintf("weight norm %v along %d", shape, axis), i, got, want, 3e-7*math.Abs(want))
			}
		}
	}
}

// interrupted is a source that fails after some reads.
type interrupted struct {
	*bytes.Reader
	left int
}

func (s *interrupted) ReadAt(p []byte, off int64) (int, error) {
	if s.left--; s.left < 0 {
		return 0, context.Canceled
	}
	return s.Reader.ReadAt(p, off)
}

// TestSumsGoOn kills readers of a long row: the next begins where the last one ended.
func TestSumsGoOn(t *testing.T) {
	const n = 1 << 20
	src := &interrupted{bytes.NewReader(make([]byte, 4*n)), 0}
	a := Array{DType: checkpoint.F32, Shape: []int64{n}, Data: segment.NewRange(src, 0, 4*n)}
	b, _ := weights(t, rand.New(rand.NewPCG(29, 30)), checkpoint.F32, n)
	s, err := Slerp(b, a, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if err := segment.Fill(segment.ReadCached, s.Data, make([]byte, 100), 0); err != segment.ErrNotCached {
		t.Errorf("from memory alone: %v", err)
	}
	tries := 0
	for ; tries < 20; tries++ {
		src.left = 10
		if err = segment.ReadFull(s.Data, make([]byte, 100), 8); err == nil {
			break
		}
	}
	if want := 4 * n / foldBytes / 9; tries == 0 || tries > want {
		t.Errorf("%d readers were killed, want %d: %v", tries, want, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := segment.Fill(segment.ReadUntil(ctx), s.Data, make([]byte, 100), 0); err != context.Canceled {
		t.Errorf("a reader that gave up: %v", err)
	}
}

// TestSumsOnce has many readers wait for the sums of one row, which is read once for all.
func TestSumsOnce(t *testing.T) {
	const n = 4 << 20
	src := &counting{Reader: bytes.NewReader(make([]byte, 4*n))}
	a := Array{DType: checkpoint.F32, Shape: []int64{n}, Data: segment.NewRange(src, 0, 4*n)}
	s, err := Slerp(a, a, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	g, _ := weights(t, rand.New(rand.NewPCG(35, 36)), checkpoint.F32, 1)
	w, err := WeightNorm(g, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Array{s, w} {
		src.bytes.Store(0)
		var readers sync.WaitGroup
		for i := range int64(16) {
			readers.Go(func() {
				if err := segment.ReadFull(r.Data, make([]byte, 4096), i*n/4); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if got := src.bytes.Load(); got > 2*4*n+16*2*4096 {
			t.Errorf("%d bytes were read", got)
		}
	}
}

// counting counts the bytes that are read.
type counting struct {
	*bytes.Reader
	bytes atomic.Int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.Reader.ReadAt(p, off)
}

// TestArithmeticRefuses asks for sums of what cannot be summed.
func TestArithmeticRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	a, _ := weights(t, rng, checkpoint.F32, 2, 3)
	b, _ := weights(t, rng, checkpoint.F32, 3, 2)
	v, _ := weights(t, rng, checkpoint.F32, 2)
	ints := Array{DType: checkpoint.I64, Shape: []int64{2, 3}, Data: segment.Literal(make([]byte, 48))}
	short := Array{DType: checkpoint.F32, Shape: []int64{2, 3}, Data: segment.Literal(make([]byte, 20))}
	huge := Array{DType: checkpoint.F8E5M2, Shape: []int64{1 << 61}, Data: segment.NewRange(nil, 0, 1<<61)}
	one := func(a Array, err error) error { return err }
	two := func(a, b Array, err error) error { return err }
	for name, err := range map[string]error{
		"scale by NaN":         one(Scale(a, math.NaN())),
		"scale beyond float32": one(Scale(a, 1e39)),
		"scale integers":       one(Scale(ints, 1)),
		"scale what is short":  one(Scale(short, 1)),
		"scale 2^61 numbers":   one(Scale(huge, 1)),
		"add another shape":    one(Add(a, b, 1)),
		"add integers":         one(Add(a, ints, 1)),
		"add what is short":    one(Add(a, short, -1)),
		"difference of shapes": one(AddDifference(a, a, b, 1)),
		"lerp another shape":   one(Lerp(a, b, 0.5)),
		"lerp to infinity":     one(Lerp(a, a, math.Inf(1))),
		"nearswap below 0":     one(Nearswap(a, a, -1)),
		"nearswap NaN":         one(Nearswap(a, a, math.NaN())),
		"mean of nothing":      one(Mean()),
		"mean of shapes":       one(Mean(a, b)),
		"mean of integers":     one(Mean(ints)),
		"slerp, shapes":        one(Slerp(a, b, 0.5)),
		"slerp, integers":      one(Slerp(a, ints, 0.5)),
		"slerp by NaN":         one(Slerp(a, a, math.NaN())),
		"slerp of no rows":     one(SlerpRows(Array{DType: checkpoint.F32, Data: segment.Literal("abcd")}, Array{DType: checkpoint.F32, Data: segment.Literal("abcd")}, 0.5)),
		"weight norm, shapes":  one(WeightNorm(v, a)),
		"weight norm, two":     one(WeightNorm(a, a)),
		"weight norm, other":   one(WeightNorm(b, a)),
		"batch norm, axis":     two(BatchNorm{Mean: v, Var: v}.Fold(a, nil, 2)),
		"batch norm, channels": two(BatchNorm{Mean: v, Var: v}.Fold(b, nil, 0)),
		"batch norm, eps":      two(BatchNorm{Mean: v, Var: v, Eps: math.NaN()}.Fold(a, nil, 0)),
		"batch norm, bias":     two(BatchNorm{Mean: v, Var: v}.Fold(a, &a, 0)),
		"batch norm, integers": two(BatchNorm{Mean: v, Var: v}.Fold(ints, nil, 0)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if s := err.Error(); strings.Contains(s, "\n") || len(s) > 200 {
			t.Errorf("%s: %q", name, s)
		}
	}
}

// BenchmarkArith counts bytes of a float32 result, of buffers in the nearest caches.
func BenchmarkArith(b *testing.B) {
	const n = 64 << 10
	acc, x, y := make([]byte, n), make([]byte, n), make([]byte, n)
	for name, k := range arithmeticOf(&best.arithmetic, &inGo) {
		for i, twin := range []string{"fast", "go"} {
			b.Run(name+"/"+twin, func(b *testing.B) {
				b.SetBytes(n)
				for b.Loop() {
					k[i](acc, x, y, 1, 0)
				}
			})
		}
	}
}
