package slicing

import (
	"fmt"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// TestSlice takes parts of numpy.arange(12, dtype=numpy.uint8).reshape(3, 4). The comparison
// with NumPy itself is integration/formats, TestArrays.
func TestSlice(t *testing.T) {
	data := make(segment.Literal, 12)
	for i := range data {
		data[i] = byte(i)
	}
	a := &checkpoint.Tensor{DType: checkpoint.U8, Shape: []int64{3, 4}, Data: data}
	for text, want := range map[string]string{
		"1":                     "[4] [4 5 6 7]",
		"[-1, ::2]":             "[2] [8 10]",
		"::-1, 0":               "[3] [8 4 0]",
		"..., None, -2:":        "[3 1 2] [2 3 6 7 10 11]",
		"5:, 1":                 "[0] []",
		"1, 2":                  "[] [6]",
		"-9223372036854775808:": "[3 4] [0 1 2 3 4 5 6 7 8 9 10 11]",
		"::9223372036854775807": "[1 4] [0 1 2 3]",
		"::-9223372036854775808, 9223372036854775807:": "[1 0] []",
		"3":                               "index 3 is out of bounds for axis 0 with size 3",
		"-9223372036854775808":            "out of bounds",
		"0, 0, 0":                         "too many indices",
		"..., ...":                        "single ellipsis",
		"::0":                             "step cannot be zero",
		"1::2:3":                          "is not an index",
		"99999999999999999999":            "is not an index",
		"a":                               "is not an index",
		"":                                "missing",
		"1,,2":                            "missing",
		strings.Repeat("None,", 65) + "0": "66 axes",
	} {
		s, err := Parse(text)
		got := ""
		if err == nil {
			var part *checkpoint.Tensor
			if part, err = s.Of(a); err == nil {
				b := make([]byte, part.Data.Size())
				if len(b) > 0 {
					err = segment.ReadFull(part.Data, b, 0)
				}
				got = fmt.Sprint(part.Shape, b)
			}
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("[%s]: %s, want %s", text, got, want)
		}
	}
	packed := &checkpoint.Tensor{DType: checkpoint.F4, Shape: []int64{24}, Data: data}
	if _, err := (Slice{}).Of(packed); err == nil {
		t.Error("halves of a byte are sliced")
	}
}
