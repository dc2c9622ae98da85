package torch

import (
	"encoding/binary"
	"math"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

func floats(values ...float32) segment.Literal {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func TestArrayRefusesWhatReachesOutside(t *testing.T) {
	s := &storage{data: floats(0, 1, 2, 3, 4, 5), dtype: checkpoint.F32, id: "0"}
	for name, a := range map[string]*array{
		"offset":    {storage: s, dtype: checkpoint.F32, offset: 7, size: []int64{1}, stride: []int64{1}},
		"negative":  {storage: s, dtype: checkpoint.F32, offset: -1, size: []int64{1}, stride: []int64{1}},
		"length":    {storage: s, dtype: checkpoint.F32, size: []int64{7}, stride: []int64{1}},
		"stride":    {storage: s, dtype: checkpoint.F32, size: []int64{2, 2}, stride: []int64{5, 1}},
		"backwards": {storage: s, dtype: checkpoint.F32, offset: 5, size: []int64{2}, stride: []int64{-1}},
		"overflow":  {storage: s, dtype: checkpoint.F32, size: []int64{1 << 62, 1 << 62}, stride: []int64{1, 1}},
		"wrap":      {storage: s, dtype: checkpoint.F32, size: []int64{3, 1 << 40}, stride: []int64{math.MaxInt64, 0}},
	} {
		if d, err := a.data(nil); err == nil {
			t.Errorf("%s: %d bytes instead of an error", name, d.Size())
		}
	}
}

func TestConjugateAndNegate(t *testing.T) {
	s := &storage{data: floats(1, 2, 3, 4), dtype: checkpoint.C64, id: "0"}
	a := &array{storage: s, dtype: checkpoint.C64, size: []int64{2}, stride: []int64{1}, conj: true}
	check(t, a, floats(1, -2, 3, -4))
	a.neg = true
	check(t, a, floats(-1, 2, -3, 4))
	ints := &array{storage: &storage{data: segment.Literal{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, dtype: checkpoint.I32},
		dtype: checkpoint.I32, size: []int64{2}, stride: []int64{1}, neg: true}
	check(t, ints, segment.Literal{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0})
}

// A storage that a big-endian machine wrote is swapped by the element of its class.
func TestBigEndian(t *testing.T) {
	s := &storage{data: segment.Literal{0x3f, 0x80, 0, 0, 0x40, 0, 0, 0}, dtype: checkpoint.F32, id: "0"}
	s.swap = swapWidth(storageRef{dtype: checkpoint.F32})
	check(t, &array{storage: s, dtype: checkpoint.F32, size: []int64{2}, stride: []int64{1}}, floats(1, 2))
	if w := swapWidth(storageRef{dtype: checkpoint.C128}); w != 8 {
		t.Errorf("complex128 is swapped by %d bytes, torch swaps by 8", w)
	}
	if w := swapWidth(storageRef{dtype: checkpoint.U8}); w != 0 {
		t.Errorf("an untyped storage is swapped by %d bytes", w)
	}
}

func check(t *testing.T, a *array, want segment.Literal) {
	t.Helper()
	d, err := a.data(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, d.Size())
	if n, err := d.ReadAt(got, 0); n < len(got) {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got % x, want % x", got, []byte(want))
	}
}
