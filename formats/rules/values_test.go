package rules

import (
	"bytes"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// TestValues has steps that compute, and what ops makes of the same arrays: each chain is
// rounded once, to the dtype that the weight had.
func TestValues(t *testing.T) {
	bf16 := func(a ops.Array) ops.Array { return must(a.To(checkpoint.BF16)) }
	a, b, c := array(4, 6), array(4, 6), array(4, 6)
	for i, x := range []ops.Array{a, b, c} { // exponents and mantissas that round
		data := x.Data.(segment.Literal)
		for k := range data {
			data[k] = byte(37*k*(i+3) + i)
			if k%4 == 3 {
				data[k] = 0x3e + byte(i)
			}
		}
	}
	half, other := bf16(a), bf16(b)
	env := house{sources: map[string]ops.Array{"b:w": other, "c:w": c}}
	keys := []Key{{"w", "", half}, {"e.0", "", half}, {"e.1", "", other}, {"p.v", "", half}, {"p.g", "", must(ops.Slice(b, 1, 0, 1, 1))}}
	for _, test := range []struct {
		from, to, do string
		want         ops.Array
	}{
		{"'w'", "'w'", "['scale 0.3', 'add b:w 0.7']", bf16(must(ops.Add(must(ops.Scale(half, 0.3)), other, 0.7)))},
		{"'w'", "'w'", "['add b:w 2', 'transpose', 'scale 0.1']", bf16(must(ops.Scale(must(ops.Transpose(must(ops.Add(half, other, 2)))), 0.1)))},
		{"'w'", "'w'", "['sub b:w 0.5', 'cast f32']", must(ops.Add(half, other, -0.5))},
		{"'w'", "'w'", "['cast f32', 'lerp c:w 0.4']", must(ops.Lerp(must(half.To(checkpoint.F32)), c, 0.4))},
		{"'w'", "'w'", "'add_difference b:w c:w 0.8'", bf16(must(ops.AddDifference(half, other, c, 0.8)))},
		{"'w'", "'w'", "['mean b:w c:w']", bf16(must(ops.Mean(half, other, c)))},
		{"'w'", "'w'", "['slerp b:w 0.3']", bf16(must(ops.Slerp(half, other, 0.3)))},
		{"'w'", "'w'", "['nearswap b:w 0.01']", bf16(must(ops.Nearswap(half, other, 0.01)))},
		{"'e.{i#}'", "'e'", "'mean'", bf16(must(ops.Mean(half, other)))},
		{"'e.{i#}'", "'e'", "['scale 3', 'mean']", bf16(must(ops.Mean(bf16(must(ops.Scale(half, 3))), bf16(must(ops.Scale(other, 3))))))},
		{"'e.{i#}'", "'e'", "['scale 3', 'stack 0', 'scale 0.3']", bf16(must(ops.Scale(must(ops.Stack(0, bf16(must(ops.Scale(half, 3))), bf16(must(ops.Scale(other, 3))))), 0.3)))},
		{"['p.g', 'p.v']", "'p.w'", "'weight_norm'", bf16(must(ops.WeightNorm(keys[4].Array, half)))},
	} {
		text := "[sources]\n"
		for _, name := range []string{"b", "c"} {
			if strings.Contains(test.do, name+":") {
				text += name + " = 'x'\n"
			}
		}
		f, err := Parse("v", []byte(text+"[[tensor]]\nfrom = "+test.from+"\nto = "+test.to+"\ndo = "+test.do))
		if err != nil {
			t.Fatal(err)
		}
		results, err := f.Apply(keys, env)
		if err != nil {
			t.Errorf("%s: %v", test.do, err)
			continue
		}
		for _, r := range results {
			if r.Rule == nil {
				continue
			}
			got, want := make([]byte, r.Data.Size()), make([]byte, test.want.Data.Size())
			if err := segment.ReadFull(r.Data, got, 0); err != nil {
				t.Fatal(err)
			}
			if err := segment.ReadFull(test.want.Data, want, 0); err != nil {
				t.Fatal(err)
			}
			if r.Array.String() != test.want.String() || !bytes.Equal(got, want) {
				t.Errorf("%s: %s, want %s, or other bytes", test.do, r.Array, test.want)
			}
		}
	}
}

// must is the array of an operation that cannot fail.
func must(a ops.Array, err error) ops.Array {
	if err != nil {
		panic(err)
	}
	return a
}
