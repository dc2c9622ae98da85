package formats

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wfs/formats"
	"wfs/formats/arrayprint"
	"wfs/formats/checkpoint"
	"wfs/formats/slicing"
	"wfs/integration/harness"
)

// numpyArray is what NumPy says of an array of write_arrays.py.
type numpyArray struct {
	Key    string `json:"key"`
	Text   string `json:"text"`
	Values any    `json:"values"`
	Slices []struct {
		Slice  string  `json:"slice"`
		Shape  []int64 `json:"shape"`
		SHA256 string  `json:"sha256"`
		Text   string  `json:"text"`
		Error  string  `json:"error"`
	} `json:"slices"`
}

// TestArrays prints and slices arrays of every dtype as NumPy does.
func TestArrays(t *testing.T) {
	var said struct {
		Path   string       `json:"path"`
		Arrays []numpyArray `json:"arrays"`
	}
	harness.Python(t, harness.Torch, "write_arrays.py", nil, &said, t.TempDir(), "3")
	model, err := formats.Open(said.Path)
	harness.Must(t, err)
	defer model.Close()
	tensors := map[string]*checkpoint.Tensor{}
	for _, tensor := range model.Tensors() {
		tensors[tensor.Key] = tensor
	}
	wrong, parts := 0, 0
	complain := func(format string, args ...any) {
		if wrong++; wrong <= 20 {
			t.Errorf(format, args...)
		}
	}
	for _, a := range said.Arrays {
		tensor := tensors[a.Key]
		if tensor == nil {
			t.Fatalf("no tensor %s", a.Key)
		}
		if got := printed(t, arrayprint.Text, tensor); got != a.Text {
			complain("%s is printed as\n%s\nNumPy prints\n%s", a.Key, got, a.Text)
		}
		var values any
		if err := json.Unmarshal([]byte(printed(t, arrayprint.JSON, tensor)), &values); err != nil || !sameValues(values, a.Values, tensor.DType) {
			complain("%s as JSON: %v, %.200v, want %.200v", a.Key, err, values, a.Values)
		}
		for _, s := range a.Slices {
			parts++
			parsed, err := slicing.Parse(s.Slice)
			harness.Must(t, err)
			part, err := parsed.Of(tensor)
			switch {
			case s.Error != "":
				if err == nil {
					complain("%s[%s]: no error, NumPy says %s", a.Key, s.Slice, s.Error)
				}
			case err != nil:
				complain("%s[%s]: %v", a.Key, s.Slice, err)
			case !slices.Equal(part.Shape, s.Shape):
				complain("%s[%s] has shape %v, want %v", a.Key, s.Slice, part.Shape, s.Shape)
			default:
				data, err := io.ReadAll(io.NewSectionReader(part.Data, 0, part.Data.Size()))
				if sum := fmt.Sprintf("%x", sha256.Sum256(data)); err != nil || sum != s.SHA256 {
					complain("%s[%s] has other bytes, %v", a.Key, s.Slice, err)
				}
				if got := printed(t, arrayprint.Text, part); got != s.Text {
					complain("%s[%s] is printed as\n%s\nNumPy prints\n%s", a.Key, s.Slice, got, s.Text)
				}
			}
		}
	}
	t.Logf("%d arrays, %d slices, %d differences", len(said.Arrays), parts, wrong)
}

func printed(t *testing.T, print func(io.Writer, *checkpoint.Tensor) error, tensor *checkpoint.Tensor) string {
	t.Helper()
	var b bytes.Buffer
	if err := print(&b, tensor); err != nil {
		t.Errorf("%s: %v", tensor.Key, err)
	}
	return b.String()
}

// sameValues compares decoded JSON. A number has the digits of its own dtype here, and those
// of a double in Python: as numbers of the dtype they are equal.
func sameValues(got, want any, d checkpoint.DType) bool {
	switch got := got.(type) {
	case []any:
		want, ok := want.([]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for i := range got {
			if !sameValues(got[i], want[i], d) {
				return false
			}
		}
		return true
	case float64:
		want, ok := want.(float64)
		if d.Bits() == 16 && strings.HasPrefix(d.String(), "F") {
			return ok && math.Abs(got-want) <= math.Abs(want)/2048+3e-8
		}
		return ok && (got == want || d.Bits() < 64 && float32(got) == float32(want) || d == checkpoint.C64 && float32(got) == float32(want))
	}
	return reflect.DeepEqual(got, want)
}
