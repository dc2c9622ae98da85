package formats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
	"wfs/integration/harness"
)

// computation is a job for arithmetic.py, and what ops makes of it.
type computation struct {
	Op      string    `json:"op"`
	Arrays  [][3]any  `json:"arrays"` // dtype, offset, shape
	Numbers []float64 `json:"numbers"`
	To      string    `json:"to"`

	of        []ops.Array
	results   []ops.Array
	tolerance float64 // 0 is bit by bit, else in units of the last place, of 1 or a larger number
	zeros     bool    // the sign of a zero may be the other one
}

// computations makes jobs of numbers in one source.
type computations struct {
	rng    *rand.Rand
	source []byte
	jobs   []*computation
}

// array is weights, with some zeros of both signs.
func (c *computations) array(dtype checkpoint.DType, shape ...int64) (a ops.Array, at [3]any) {
	for len(c.source)%8 != 0 {
		c.source = append(c.source, 0)
	}
	off := len(c.source)
	count := int64(1)
	for _, n := range shape {
		count *= n
	}
	wide := make([]byte, 0, 4*count)
	for range count {
		w := float32(c.rng.NormFloat64())
		switch c.rng.IntN(40) {
		case 0:
			w = float32(math.Copysign(0, float64(w)))
		case 1:
			w *= 1e-30
		}
		wide = binary.LittleEndian.AppendUint32(wide, math.Float32bits(w))
	}
	if dtype == checkpoint.F64 {
		for i := 0; i < len(wide); i += 4 {
			c.source = binary.LittleEndian.AppendUint64(c.source, math.Float64bits(float64(math.Float32frombits(binary.LittleEndian.Uint32(wide[i:])))))
		}
	} else {
		data, _ := ops.Cast(segment.Literal(wide), checkpoint.F32, dtype)
		b := make([]byte, data.Size())
		_ = segment.ReadFull(data, b, 0)
		c.source = append(c.source, b...)
	}
	b := c.source[off:len(c.source):len(c.source)]
	if shape == nil {
		shape = []int64{}
	}
	return ops.Array{DType: dtype, Shape: shape, Data: segment.NewRange(bytes.NewReader(b), 0, int64(len(b)))}, [3]any{dtype.String(), off, shape}
}

// add is a job of one operation on arrays of some dtypes and one shape.
func (c *computations) add(op string, dtypes []checkpoint.DType, shape []int64, numbers ...float64) *computation {
	j := &computation{Op: op, Numbers: append([]float64{}, numbers...), To: "F32"}
	for _, d := range dtypes {
		c.operand(j, d, shape...)
	}
	c.jobs = append(c.jobs, j)
	return j
}

func (c *computations) operand(j *computation, dtype checkpoint.DType, shape ...int64) ops.Array {
	a, at := c.array(dtype, shape...)
	j.of, j.Arrays = append(j.of, a), append(j.Arrays, at)
	return a
}

// TestArithmetic compares with torch and mergekit: bit by bit, save where sums of rows are in it.
func TestArithmetic(t *testing.T) {
	c := &computations{rng: rand.New(rand.NewPCG(51, 52))}
	one := func(j *computation, a ops.Array, err error) {
		t.Helper()
		harness.Must(t, err)
		if j.To != "F32" {
			d, err := checkpoint.ParseDType(j.To)
			harness.Must(t, err)
			a, err = a.To(d)
			harness.Must(t, err)
		}
		j.results = []ops.Array{a}
	}
	const f32, f16, bf16 = checkpoint.F32, checkpoint.F16, checkpoint.BF16
	shapes := [][]int64{{5}, {33, 47}, {130, 257}, {4, 3, 2, 5}, {16, 1024}}
	mixes := [][]checkpoint.DType{{f32, f32, f32}, {bf16, bf16, bf16}, {f16, f16, f16}, {bf16, f32, f16}, {f32, bf16, bf16}}
	for _, shape := range shapes {
		for _, mix := range mixes {
			for _, w := range []float64{0.3, -1.7, 1} {
				j := c.add("scale", mix[:1], shape, w)
				a, err := ops.Scale(j.of[0], w)
				one(j, a, err)
				j = c.add("add", mix[:2], shape, w)
				a, err = ops.Add(j.of[0], j.of[1], w)
				one(j, a, err)
				j = c.add("difference", mix, shape, w)
				a, err = ops.AddDifference(j.of[0], j.of[1], j.of[2], w)
				one(j, a, err)
			}
			j := c.add("sub", mix[:2], shape)
			a, err := ops.Add(j.of[0], j.of[1], -1)
			one(j, a, err)
			for _, to := range []float64{0, 0.3, 0.5, 0.9, 1} {
				j = c.add("lerp", mix[:2], shape, to)
				a, err = ops.Lerp(j.of[0], j.of[1], to)
				one(j, a, err)
				j.zeros = to == 1 // torch has another formula for the last numbers of a tensor
				j = c.add("nearswap", mix[:2], shape, to/10)
				a, err = ops.Nearswap(j.of[0], j.of[1], to/10)
				one(j, a, err)
			}
			// mergekit computes in, and rounds to, the dtype that all of them fit in.
			to := "F32"
			if mix[0] == mix[1] && mix[1] == mix[2] {
				to = mix[0].String()
			}
			for _, numbers := range [][]float64{{0, 0.3, 0.5, 0.2}, {0, 1, 1, 1}, {0, 0.7, -0.4, 1.3}, {1, 0.25, 0.5, 0.25}} { // the first says normalize
				weights := numbers[1:]
				j = c.add("linear", mix, shape, numbers...)
				j.To = to
				if a, err = ops.Scale(j.of[0], weights[0]); err == nil {
					if a, err = ops.Add(a, j.of[1], weights[1]); err == nil {
						a, err = ops.Add(a, j.of[2], weights[2])
					}
				}
				one(j, a, err)
				j = c.add("task_arithmetic", mix[:2], shape, 0, 1, weights[0])
				a, err = ops.AddDifference(j.of[0], j.of[1], j.of[0], weights[0])
				one(j, a, err)
			}
		}
		j := c.add("mean", []checkpoint.DType{f32, f32, f32, f32, f32, f32, f32}, shape)
		a, err := ops.Mean(j.of...)
		one(j, a, err)
		for _, to := range []float64{0, 0.25, 0.5, 1} {
			for _, mix := range mixes[:2] {
				j = c.add("slerp", mix[:2], shape, to)
				j.To, j.tolerance = mix[0].String(), 8
				a, err = ops.Slerp(j.of[0], j.of[1], to)
				one(j, a, err)
				j = c.add("slerp_rows", mix[:2], shape, to)
				j.To, j.tolerance = mix[0].String(), 8
				a, err = ops.SlerpRows(j.of[0], j.of[1], to)
				one(j, a, err)
			}
		}
		for axis := -1; axis < len(shape); axis++ {
			lengths := []int64{}
			for i, n := range shape {
				if lengths = append(lengths, 1); i == axis {
					lengths[i] = n
				}
			}
			if axis < 0 {
				lengths = nil
			}
			j = c.add("weight_norm", nil, nil, float64(axis))
			g, v := c.operand(j, f32, lengths...), c.operand(j, f32, shape...)
			j.tolerance = 16 // torch's sums are in float32
			a, err = ops.WeightNorm(g, v)
			one(j, a, err)
		}
		if len(shape) > 1 {
			c.batchNorm(t, shape)
		}
	}
	c.compare(t)
}

// batchNorm folds one into layers of a shape.
func (c *computations) batchNorm(t *testing.T, shape []int64) {
	for axis := range 2 {
		if len(shape) == 2 && axis == 1 {
			continue
		}
		j := c.add("batch_norm", []checkpoint.DType{checkpoint.F32}, shape, 1e-3, float64(axis))
		if len(shape) == 2 {
			j.Op, j.Numbers = "batch_norm_linear", j.Numbers[:1]
		}
		n := shape[axis]
		bias, mean := c.operand(j, checkpoint.F32, n), c.operand(j, checkpoint.F32, n)
		variance := c.operand(j, checkpoint.F32, n)
		for at := j.Arrays[3][1].(int); at < j.Arrays[3][1].(int)+int(4*n); at += 4 {
			c.source[at+3] &= 0x7f // of either sign before
		}
		b := c.source[j.Arrays[3][1].(int):][:4*n]
		variance.Data = segment.Literal(bytes.Clone(b))
		gamma, beta := c.operand(j, checkpoint.F32, n), c.operand(j, checkpoint.F32, n)
		weight, shift, err := ops.BatchNorm{Mean: mean, Var: variance, Weight: &gamma, Bias: &beta, Eps: 1e-3}.Fold(j.of[0], &bias, axis)
		harness.Must(t, err)
		j.results = []ops.Array{weight, shift}
	}
}

// compare has all jobs done, and compares the results.
func (c *computations) compare(t *testing.T) {
	dir := t.TempDir()
	job := struct {
		Source string         `json:"source"`
		Out    string         `json:"out"`
		Jobs   []*computation `json:"jobs"`
	}{filepath.Join(dir, "source"), filepath.Join(dir, "out"), c.jobs}
	harness.Must(t, os.WriteFile(job.Source, c.source, 0o600))
	harness.Python(t, harness.Extra, "arithmetic.py", job, nil)
	want, err := os.ReadFile(job.Out)
	harness.Must(t, err)
	worst := map[string]float64{}
	failed := map[string]int{}
	for _, j := range c.jobs {
		what := fmt.Sprint(j.Op, j.Arrays, j.Numbers, j.To)
		for _, a := range j.results {
			n := a.Data.Size()
			got := make([]byte, n)
			harness.Must(t, segment.ReadFull(a.Data, got, 0))
			if n > int64(len(want)) {
				t.Fatalf("%s: %d bytes, %d are left", what, n, len(want))
			}
			if j.zeros {
				for _, b := range [][]byte{got, want[:n]} {
					for i := 0; i < len(b); i += 4 {
						if binary.LittleEndian.Uint32(b[i:]) == 1<<31 {
							b[i+3] = 0
						}
					}
				}
			}
			if j.tolerance == 0 {
				if problem := differ(got, want[:n], a.DType); problem != "" {
					if failed[j.Op]++; failed[j.Op] < 4 {
						t.Errorf("%s: %s", what, problem)
					}
				}
			} else {
				far := apart(t, got, want[:n], a.DType)
				worst[j.Op+" "+j.To] = max(worst[j.Op+" "+j.To], far)
				if far > j.tolerance {
					t.Errorf("%s: %g units of the last place apart", what, far)
				}
			}
			if !j.zeros {
				compareReads(t, c.rng, what, a.Data, got)
			}
			want = want[n:]
		}
	}
	if len(want) != 0 {
		t.Errorf("%d bytes are left", len(want))
	}
	t.Logf("%d jobs; of those with sums of rows, units of the last place: %v", len(c.jobs), worst)
}

// apart is how far numbers are from each other, in units of the last place, of 1 or a larger
// number: what is near 0 may be the difference of two larger ones.
func apart(t *testing.T, got, want []byte, d checkpoint.DType) (worst float64) {
	wide := func(b []byte) []byte {
		data, err := ops.Cast(segment.Literal(b), d, checkpoint.F32)
		harness.Must(t, err)
		w := make([]byte, data.Size())
		harness.Must(t, segment.ReadFull(data, w, 0))
		return w
	}
	mantissa := map[checkpoint.DType]int{checkpoint.F32: 23, checkpoint.F16: 10, checkpoint.BF16: 7}[d]
	a, b := wide(got), wide(want)
	for i := 0; i < len(a); i += 4 {
		x, y := float64(math.Float32frombits(binary.LittleEndian.Uint32(a[i:]))), float64(math.Float32frombits(binary.LittleEndian.Uint32(b[i:])))
		_, exponent := math.Frexp(max(math.Abs(y), 1))
		worst = max(worst, math.Abs(x-y)/math.Ldexp(1, exponent-1-mantissa))
	}
	return worst
}
