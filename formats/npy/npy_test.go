package npy

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
)

// TestHeader checks the length and the alignment of headers short and long
// (numpy/lib/format.py). numpy itself reads them in integration/.
func TestHeader(t *testing.T) {
	for rank := range 5000 {
		if rank > 70 && rank%97 > 0 {
			continue
		}
		shape := slices.Repeat([]int64{1 << 62}, rank)
		h := Header("<f4", shape)
		length, start := int(binary.LittleEndian.Uint16(h[8:])), 10
		if want := byte(1 + min(1, len(h)>>16)); h[6] != want || h[7] != 0 {
			t.Errorf("rank %d: version %d.%d of %d bytes", rank, h[6], h[7], len(h))
		}
		if h[6] == 2 {
			length, start = int(binary.LittleEndian.Uint32(h[8:])), 12
		}
		if string(h[:6]) != magic || len(h)%align != 0 || start+length != len(h) || h[len(h)-1] != '\n' {
			t.Errorf("rank %d: %d bytes, of which it declares %d", rank, len(h), length)
		}
		if open, close := strings.IndexByte(string(h), '('), strings.IndexByte(string(h), ')'); strings.Count(string(h[open:close]), "4611686018427387904") != rank {
			t.Errorf("rank %d: %s", rank, h[start:])
		}
	}
	if h := string(Header("|V2", []int64{7})); !strings.Contains(h, "{'descr': '|V2', 'fortran_order': False, 'shape': (7,), }") {
		t.Errorf("%q", h)
	}
}

// TestShape has dtypes whose elements are less than a byte: the shape is that of the bytes.
func TestShape(t *testing.T) {
	for _, c := range []struct {
		dtype checkpoint.DType
		shape []int64
		want  string
	}{
		{checkpoint.F32, []int64{2, 3}, "<f4 [2 3]"}, {checkpoint.BF16, []int64{2, 3}, "|V2 [2 3]"},
		{checkpoint.F8E4M3, nil, "|V1 []"}, {checkpoint.C32, []int64{5}, "|V4 [5]"},
		{checkpoint.F4, []int64{2, 6}, "|V1 [2 3]"}, {checkpoint.F4, []int64{2, 3}, "|V1 [3]"},
		{checkpoint.F6E2M3, []int64{3, 4}, "|V1 [3 3]"}, {checkpoint.F6E3M2, []int64{4, 1}, "|V1 [3]"},
		{checkpoint.F4, []int64{0, 3}, "|V1 [0]"}, {checkpoint.Q4K, []int64{3, 512}, "|u1 [3 288]"}, {checkpoint.Q80, []int64{0, 32}, "|u1 [0 34]"},
	} {
		if got := fmt.Sprint(Descr(c.dtype), " ", Shape(c.dtype, c.shape)); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.dtype, c.shape, got, c.want)
		}
	}
}
