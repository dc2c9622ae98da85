package formats

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"wfs/integration/harness"
)

// TestSafetensorsRules gives headers of every kind to the safetensors library and to
// wfs: they accept the same files, with the same tensors, but for a few in which wfs
// is stricter (FORMATS 1.9).
func TestSafetensorsRules(t *testing.T) {
	var cases []struct {
		Name    string            `json:"name"`
		Source  string            `json:"source"`
		Error   string            `json:"error"`
		Tensors map[string][2]any `json:"tensors"`
	}
	harness.Python(t, harness.Torch, "write_rules.py", nil, &cases, t.TempDir())
	accepted := 0
	for _, c := range cases {
		r := harness.WFS(t, "ls", "--json", c.Source)
		stricter := strings.HasPrefix(c.Name, "STRICTER")
		switch {
		case stricter && c.Error != "":
			t.Errorf("%s: the library refuses it too: %s", c.Name, c.Error)
		case stricter || c.Error != "":
			if r.Code != 1 {
				t.Errorf("%s: exit code %d, and the library says %q", c.Name, r.Code, c.Error)
			}
			harness.CheckOneLine(t, r, c.Source)
		case r.Code != 0:
			t.Errorf("%s: the library accepts it, and wfs says %q", c.Name, r.Stderr)
		default:
			accepted++
			var got struct {
				Tensors []struct {
					Key   string  `json:"key"`
					DType string  `json:"dtype"`
					Shape []int64 `json:"shape"`
				} `json:"tensors"`
			}
			harness.Must(t, json.Unmarshal([]byte(r.Stdout), &got))
			have := map[string]string{}
			for _, tensor := range got.Tensors {
				have[tensor.Key] = fmt.Sprint(tensor.DType, tensor.Shape)
			}
			want := map[string]string{}
			for key, tensor := range c.Tensors {
				want[key] = fmt.Sprint(tensor[0], tensor[1])
			}
			if !maps.Equal(have, want) {
				t.Errorf("%s: %v, want %v", c.Name, slices.Collect(maps.Values(have)), slices.Collect(maps.Values(want)))
			}
		}
	}
	if accepted < 40 {
		t.Errorf("%d files were accepted", accepted)
	}
}
