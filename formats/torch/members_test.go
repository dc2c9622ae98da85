package torch

import (
	"fmt"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// walked is what a collector lists of a value with storages 0 to 9 of one float.
func walked(t *testing.T, program string) (*collector, string) {
	t.Helper()
	file := segment.Literal(program)
	res, err := pickle.Load(file, 0, file.Size(), pickle.Options{})
	if err != nil {
		t.Fatalf("%q: %v", program, err)
	}
	r := newResolver(file, nil, func(ref storageRef) (storage, error) {
		return storage{data: floats(1), dtype: ref.dtype, id: ref.key}, nil
	}, len(res.PersIDs))
	c := newCollector(r, file.Size())
	c.walk("", res.Value, 0)
	var keys []string
	for _, tensor := range c.tensors {
		keys = append(keys, tensor.Key)
	}
	return c, strings.Join(keys, " ")
}

// one pickles a tensor of storage n.
func one(n int) string {
	return fmt.Sprintf("ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'%d'\nS'cpu'\nI1\ntQI0\n(t(tI00\n(dtR", n)
}

// TestMembers has objects with tensors in all that they may hold.
func TestMembers(t *testing.T) {
	const object = "}(S'o'\n" // {"o": …
	for _, c := range []struct{ program, want string }{
		{object + "cm\nA\n(" + one(0) + "tR}S'k'\n" + one(1) + "sbu.", "o.0 o.k"},
		{object + "cm\nA\n)R(" + one(0) + one(1) + "tbu.", "o.0 o.1"},
		{object + "cm\nA\n)R(" + one(0) + "}S'k'\n" + one(1) + "stbu.", "o.0 o.1.k"},
		{object + "cm\nA\n)R(N}S'k'\n" + one(1) + "stbu.", "o.k"},
		{object + "cm\nA\n)R" + one(0) + "bu.", "o"},
		{object + "cm\nA\n)R(" + one(0) + "lbu.", "o.0"},
		{object + "cm\nA\n)Rcm\nB\n)R(" + one(0) + "tbbu.", "o.0"},
		{object + "cm\nA\n)R(" + one(0) + "eS'k'\n" + one(1) + "su.", "o.0 o.k"},
		{object + "ccopy_reg\n_reconstructor\n(cm\nA\nc__builtin__\ndict\n}S'k'\n" + one(0) + "stRu.", "o.k"},
		{object + "c__builtin__\nset\n((" + one(0) + "ltRu.", "o.0"},
		{"}(I1\n" + one(0) + "S'1'\n" + one(1) + "S'1#2'\n" + one(2) + "u.", "1 1#2 1#2#2"},
		// An object in its own state.
		{object + "cm\nA\n)Rp0\n(g0\n" + one(0) + "tbu.", "o.1"},
	} {
		if _, got := walked(t, c.program); got != c.want {
			t.Errorf("%q:\n%s, want %s", c.program, got, c.want)
		}
	}
}

// TestDeepStates ends where objects are the states of objects without end.
func TestDeepStates(t *testing.T) {
	deep := strings.Repeat("cm\nA\n)R", 3000) + one(0) + strings.Repeat("b", 3000) + "."
	if c, _ := walked(t, deep); c.fault == nil {
		t.Error("states in states 3000 deep are followed to their end")
	}
}

// TestBarren looks at what holds no tensor once, however many paths lead there.
func TestBarren(t *testing.T) {
	var b strings.Builder
	b.WriteString("(lp0\n")
	for i := range 60 { // each list has the one before twice
		fmt.Fprintf(&b, "0(g%d\ng%d\nlp%d\n", i, i, i+1)
	}
	b.WriteString(".")
	if c, _ := walked(t, b.String()); c.fault != nil {
		t.Errorf("2 to the 60 paths without a tensor: %v", c.fault)
	}
}

// TestConverted rounds as torch does: to nearest, ties to even.
func TestConverted(t *testing.T) {
	for f, want := range map[float32][2]uint16{
		1: {0x3f80, 0x3c00}, 1.00390625: {0x3f80, 0x3c04}, 1.01171875: {0x3f82, 0x3c0c}, 65519: {0x4780, 0x7bff}, 65520: {0x4780, 0x7c00},
		5.9604645e-08: {0x3380, 1}, 2.9802322e-08: {0x3300, 0}, -6.1035156e-05: {0xb880, 0x8400},
	} {
		if got := [2]uint16{bfloat16(f), float16(f)}; got != want {
			t.Errorf("%g is %04x as bfloat16 and float16, want %04x", f, got, want)
		}
	}
	for h := range 1 << 16 {
		if f := float16Value(uint16(h)); f == f && float16(f) != uint16(h) {
			t.Fatalf("%04x is %g, which is %04x", h, f, float16(f))
		}
	}
}

// TestPacked refuses what is not packed in order.
func TestPacked(t *testing.T) {
	for _, c := range []struct {
		a    array
		want int64 // bytes, -1 for an error
	}{
		{array{size: []int64{3, 5}, stride: []int64{5, 1}}, 8},
		{array{size: []int64{1, 4}, stride: []int64{9, 1}}, 2},
		{array{size: []int64{0, 4}, stride: []int64{4, 1}}, 0},
		{array{size: []int64{4, 4}, stride: []int64{1, 4}}, -1},
		{array{size: []int64{4}, stride: []int64{1}, offset: 2}, -1},
		{array{size: []int64{1 << 40, 1 << 40}, stride: []int64{1 << 40, 1}}, -1},
	} {
		a := c.a
		a.dtype = checkpoint.U8
		err := a.pack(2)
		if got := append(a.size, -1)[0]; err == nil && got != c.want || err != nil && c.want >= 0 {
			t.Errorf("%v: %d bytes, %v", c.a.size, got, err)
		}
	}
}
