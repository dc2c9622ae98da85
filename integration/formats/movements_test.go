package formats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
	"wfs/integration/harness"
)

// movement is a chain for movements.py, and what ops makes of it.
type movement struct {
	DType  string   `json:"dtype"`
	Arrays [][2]any `json:"arrays"` // offset and shape
	Steps  [][]any  `json:"steps"`

	arrays []ops.Array
}

// sourceBytes of numbers: the first half of it is float32 that no cast makes a NaN of.
const sourceBytes = 4 << 20

func numbers(rng *rand.Rand) []byte {
	b := make([]byte, 0, sourceBytes)
	for len(b) < sourceBytes/2 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(rng.NormFloat64())))
	}
	for len(b) < sourceBytes {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return b
}

// add takes an array from somewhere in the source.
func (m *movement) add(t *testing.T, rng *rand.Rand, src []byte, bands *segment.Bands, dtype checkpoint.DType, shape ...int64) {
	count, err := segment.Count(shape)
	harness.Must(t, err)
	width := int64(dtype.Bits() / 8)
	off := rng.Int64N((sourceBytes/2-count*width)/width) * width
	if dtype != checkpoint.F32 {
		off += sourceBytes / 2
	}
	m.DType = dtype.String()
	m.Arrays = append(m.Arrays, [2]any{off, slices.Clone(shape)})
	m.arrays = append(m.arrays, ops.Array{DType: dtype, Shape: slices.Clone(shape), Data: segment.NewRange(bytes.NewReader(src), off, count*width), Bands: bands})
}

// all does something to every array.
func (m *movement) all(t *testing.T, f func(a ops.Array) (ops.Array, error), step ...any) {
	t.Helper()
	for i, a := range m.arrays {
		var err error
		if m.arrays[i], err = f(a); err != nil {
			t.Fatalf("%v, then %v: %v", m, step, err)
		}
	}
	m.Steps = append(m.Steps, step)
}

// apart takes every array apart.
func (m *movement) apart(t *testing.T, f func(a ops.Array) ([]ops.Array, error), step ...any) {
	t.Helper()
	var parts []ops.Array
	for _, a := range m.arrays {
		p, err := f(a)
		if err != nil {
			t.Fatalf("%v, then %v: %v", m, step, err)
		}
		parts = append(parts, p...)
	}
	m.arrays, m.Steps = parts, append(m.Steps, step)
}

// joined makes one array of all.
func (m *movement) joined(t *testing.T, f func(parts ...ops.Array) (ops.Array, error), step ...any) {
	t.Helper()
	a, err := f(m.arrays...)
	if err != nil {
		t.Fatalf("%v, then %v: %v", m, step, err)
	}
	m.arrays, m.Steps = []ops.Array{a}, append(m.Steps, step)
}

func (m *movement) String() string { return fmt.Sprint(m.DType, m.Arrays, m.Steps) }

// arguments puts an operation before numbers.
func arguments[N int | int64](op string, numbers ...N) []any {
	step := []any{op}
	for _, n := range numbers {
		step = append(step, n)
	}
	return step
}

// move does a random step. Arrays have one shape, but after a split.
func (m *movement) move(t *testing.T, rng *rand.Rand) {
	shape, dims := m.arrays[0].Shape, len(m.arrays[0].Shape)
	one := true
	for _, a := range m.arrays {
		one = one && slices.Equal(a.Shape, shape)
	}
	few := len(m.arrays) < 5
	axis := 0
	if dims > 0 {
		axis = rng.IntN(dims)
	}
	switch kind := rng.IntN(10); {
	case kind == 0 && one && dims < 6:
		dim := rng.IntN(dims + 1)
		m.joined(t, func(parts ...ops.Array) (ops.Array, error) { return ops.Stack(dim, parts...) }, "stack", dim)
	case kind == 1 && one && dims > 0:
		m.joined(t, func(parts ...ops.Array) (ops.Array, error) { return ops.Concat(axis, parts...) }, "concat", axis)
	case kind == 2 && m.DType == "F32":
		to := []checkpoint.DType{checkpoint.F16, checkpoint.BF16, checkpoint.F32}[rng.IntN(3)]
		m.all(t, func(a ops.Array) (ops.Array, error) { return a.To(to) }, "cast", to.String())
	case kind <= 3 && one:
		to := factored(rng, shape)
		if len(to) > 0 && !slices.Contains(to, 0) && rng.IntN(2) == 0 {
			to[rng.IntN(len(to))] = -1
		}
		m.all(t, func(a ops.Array) (ops.Array, error) { return ops.Reshape(a, to...) }, arguments("reshape", to...)...)
	case dims == 0:
		return
	case kind <= 4:
		order := rng.Perm(dims)
		m.all(t, func(a ops.Array) (ops.Array, error) { return ops.Permute(a, order...) }, arguments("permute", order...)...)
	case kind == 5 && dims > 1:
		m.all(t, ops.Transpose, "transpose")
	case kind == 6 && one:
		from := rng.Int64N(shape[axis] + 1)
		to := from + rng.Int64N(shape[axis]-from+1)
		step := 1 + rng.Int64N(3)
		if from > 0 && from < shape[axis] && rng.IntN(3) == 0 {
			from -= shape[axis]
		}
		m.all(t, func(a ops.Array) (ops.Array, error) { return ops.Slice(a, axis, from, to, step) }, "slice", axis, from, to, step)
	case kind == 7 && few && one:
		if n := shape[axis]; n > 0 && n < 5 && rng.IntN(2) == 0 {
			m.apart(t, func(a ops.Array) ([]ops.Array, error) { return ops.Unstack(a, axis) }, "unstack", axis)
			return
		}
		at := rng.Int64N(shape[axis] + 1)
		sizes := []int64{at, shape[axis] - at}
		m.apart(t, func(a ops.Array) ([]ops.Array, error) { return ops.Split(a, axis, sizes...) }, arguments("split", append([]int64{int64(axis)}, sizes...)...)...)
	case kind == 8 && few && one && shape[axis]%2 == 0 && shape[axis] > 0:
		m.apart(t, func(a ops.Array) ([]ops.Array, error) { return ops.Chunk(a, axis, 2) }, "chunk", axis, 2)
	case kind == 9 && one && shape[axis] > 0:
		blocks := shape[axis]
		for _, n := range []int64{4, 3, 2} {
			if blocks%n == 0 {
				blocks = n
				break
			}
		}
		if blocks > 16 {
			return
		}
		order := rng.Perm(int(blocks))
		m.all(t, func(a ops.Array) (ops.Array, error) { return ops.Reorder(a, axis, blocks, order...) },
			arguments("reorder", append([]int{axis, int(blocks)}, order...)...)...)
	}
}

// factored is a shape for as many elements: some sizes in two, others joined.
func factored(rng *rand.Rand, shape []int64) []int64 {
	to := []int64{}
	for _, n := range shape {
		for _, f := range []int64{2, 3, 5} {
			if n > f && n%f == 0 && rng.IntN(2) == 0 && len(to) < 6 {
				to, n = append(to, f), n/f
			}
		}
		if len(to) > 0 && rng.IntN(3) == 0 {
			to[len(to)-1] *= n
		} else {
			to = append(to, n)
		}
	}
	return to
}

// TestMovements compares random chains of movements with torch, and what transformers does to
// checkpoints with the movements for it.
func TestMovements(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	src := numbers(rng)
	bands := segment.NewBands(8 << 20)
	var chains []*movement
	for range 1500 {
		m := &movement{Steps: [][]any{}}
		shape := make([]int64, rng.IntN(5))
		largest := []int64{0, 4000, 150, 24, 11}[len(shape)]
		for i := range shape {
			if shape[i] = 1 + rng.Int64N(largest); rng.IntN(3) == 0 {
				shape[i] = []int64{1, 2, 4, 6, 8, 12}[rng.IntN(6)]
			}
			if rng.IntN(50) == 0 {
				shape[i] = 0
			}
		}
		dtype := []checkpoint.DType{checkpoint.U8, checkpoint.BF16, checkpoint.F32, checkpoint.F32, checkpoint.I64, checkpoint.C64}[rng.IntN(6)]
		for range 1 + rng.IntN(3) {
			m.add(t, rng, src, bands, dtype, shape...)
		}
		for range 2 + rng.IntN(6) {
			m.move(t, rng)
		}
		chains = append(chains, m)
	}
	chains = append(chains, recipes(t, rng, src, bands)...)
	dir := t.TempDir()
	job := struct {
		Source string      `json:"source"`
		Out    string      `json:"out"`
		Chains []*movement `json:"chains"`
	}{filepath.Join(dir, "source"), filepath.Join(dir, "out"), chains}
	harness.Must(t, os.WriteFile(job.Source, src, 0o600))
	var shapes [][][]int64
	harness.Python(t, harness.Torch, "movements.py", job, &shapes)
	want, err := os.ReadFile(job.Out)
	harness.Must(t, err)
	for i, m := range chains {
		if len(shapes[i]) != len(m.arrays) {
			t.Fatalf("%v: %d arrays, torch has %d", m, len(m.arrays), len(shapes[i]))
		}
		for j, a := range m.arrays {
			if !slices.Equal(a.Shape, shapes[i][j]) {
				t.Fatalf("%v: array %d has shape %v, torch's has %v", m, j, a.Shape, shapes[i][j])
			}
			n := a.Data.Size()
			if n > int64(len(want)) {
				t.Fatalf("%v: array %d has %d bytes, torch left %d", m, j, n, len(want))
			}
			compareReads(t, rng, m, a.Data, want[:n])
			want = want[n:]
		}
	}
	if len(want) != 0 {
		t.Errorf("torch has %d bytes more", len(want))
	}
}

// compareReads reads data whole, and pieces of it.
func compareReads(t *testing.T, rng *rand.Rand, what any, d segment.Data, want []byte) {
	t.Helper()
	got := make([]byte, d.Size())
	for i := range 4 {
		off, p := 0, got
		if i > 0 {
			off = rng.IntN(len(got) + 1)
			p = got[:rng.IntN(len(got)-off+1)]
		}
		if err := segment.ReadFull(d, p, int64(off)); len(p) > 0 && err != nil {
			t.Fatalf("%v: %d bytes at %d: %v", what, len(p), off, err)
		}
		if !bytes.Equal(p, want[off:off+len(p)]) {
			t.Fatalf("%v: %d bytes at %d are others", what, len(p), off)
		}
	}
}

// recipes are conversions that transformers does, and ours.
func recipes(t *testing.T, rng *rand.Rand, src []byte, bands *segment.Bands) []*movement {
	must := func(a ops.Array, err error) ops.Array {
		t.Helper()
		harness.Must(t, err)
		return a
	}
	rope := &movement{Steps: [][]any{{"rope", 8}}}
	rope.add(t, rng, src, bands, checkpoint.BF16, 256, 96)
	a := must(ops.Reshape(rope.arrays[0], 8, -1, 2, 96))
	rope.arrays[0] = must(ops.Reshape(must(ops.Permute(a, 0, 2, 1, 3)), -1, 96))

	experts := &movement{Steps: [][]any{{"moe"}}}
	for range 12 {
		experts.add(t, rng, src, bands, checkpoint.F32, 40, 24)
	}
	gates, ups := must(ops.Stack(0, experts.arrays[:6]...)), must(ops.Stack(0, experts.arrays[6:]...))
	experts.arrays = []ops.Array{must(ops.Concat(1, gates, ups))}

	interleaved := &movement{Steps: [][]any{{"interleave", 1}}}
	interleaved.add(t, rng, src, bands, checkpoint.F32, 6, 64, 10)
	a = must(ops.Permute(must(ops.Reshape(interleaved.arrays[0], 6, 32, 2, 10)), 0, 2, 1, 3))
	interleaved.arrays[0] = must(ops.Reshape(a, 6, 64, 10))
	return []*movement{rope, experts, interleaved}
}
