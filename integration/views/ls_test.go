package views

import (
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"wfs/integration/harness"
)

// listed is the JSON of wfs ls, and of meta/index.json in what they share.
type listed struct {
	Source  string `json:"source"`
	Tensors []struct {
		Key    string  `json:"key"`
		Hex    string  `json:"key_hex"`
		DType  string  `json:"dtype"`
		Shape  []int64 `json:"shape"`
		Bytes  int64   `json:"bytes"`
		File   string  `json:"file"`
		Tied   string  `json:"tied_to"`
		Hidden string  `json:"not_in_view"`
	} `json:"tensors"`
}

func lsJSON(t *testing.T, args ...string) (all listed) {
	t.Helper()
	r := harness.WFS(t, append([]string{"ls", "--json"}, args...)...)
	if r.Code != 0 {
		t.Fatalf("ls: %s", r.Stderr)
	}
	harness.Must(t, json.Unmarshal([]byte(r.Stdout), &all))
	return all
}

// TestLs compares what ls prints with meta/index.json of a mount, for keys of every
// kind, and checks that a terminal has nothing to obey.
func TestLs(t *testing.T) {
	var cases []harness.Checkpoint
	harness.Python(t, harness.Torch, "write_names.py", nil, &cases, t.TempDir())
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			all := lsJSON(t, c.Source)
			var index listed
			harness.Must(t, json.Unmarshal(harness.ReadFile(t, harness.Mount(t, c.Source), "meta/index.json"), &index))
			if len(all.Tensors) == 0 || !reflect.DeepEqual(all.Tensors, index.Tensors) || all.Source != c.Source {
				t.Errorf("ls has %d tensors of %s, meta/index.json %d", len(all.Tensors), all.Source, len(index.Tensors))
			}
			keys := map[string]bool{}
			for _, tensor := range all.Tensors {
				key := tensor.Key
				if tensor.Hex != "" {
					b, err := hex.DecodeString(tensor.Hex)
					harness.Must(t, err)
					key = string(b)
				}
				keys[key] = true
			}
			r := harness.WFS(t, "ls", c.Source)
			lines := strings.Split(strings.TrimSuffix(r.Stdout, "\n"), "\n")
			if len(lines) != len(all.Tensors)+1 || len(keys) != len(all.Tensors) {
				t.Errorf("%d lines and %d keys for %d tensors", len(lines), len(keys), len(all.Tensors))
			}
			for _, line := range lines {
				if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("a line holds %q", line[i:])
				}
			}
		})
	}
}

// TestLsDirectory lists weights in subdirectories, and a nested checkpoint by its root.
func TestLsDirectory(t *testing.T) {
	var layouts []harness.Model
	harness.Python(t, harness.Torch, "write_layouts.py", nil, &layouts, t.TempDir())
	for _, m := range layouts {
		var have, want []string
		for _, tensor := range lsJSON(t, m.Source).Tensors {
			have = append(have, tensor.File+" "+tensor.Key)
		}
		for _, file := range m.Views {
			dir := filepath.Dir(file) + "/"
			if dir == "./" {
				dir = ""
			}
			want = append(want, file+" "+dir+"weight", file+" "+dir+"bias")
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("%s: %q, want %q", m.Name, have, want)
		}
	}
	var cases []harness.Checkpoint
	harness.Python(t, harness.Torch, "write_torch.py", nil, &cases, t.TempDir())
	for _, c := range cases {
		switch c.Name {
		case "nested":
			all, view := lsJSON(t, c.Source), lsJSON(t, "--root", "optimizer.state", c.Source)
			if len(view.Tensors) != 2 || view.Tensors[0].Key != "0.exp_avg" || len(all.Tensors) <= 2 {
				t.Errorf("--root optimizer.state: %+v", view.Tensors)
			}
			harness.Refused(t, []string{"ls", "--root", "nothing", c.Source}, "nested.pt", `"nothing"`, `"state_dict"`)
		case "tied":
			for _, tensor := range lsJSON(t, c.Source).Tensors {
				if want := map[string]string{"lm_head.weight": "embed.weight", "alias": "embed.weight"}[tensor.Key]; tensor.Tied != want {
					t.Errorf("%s is tied to %q, want %q", tensor.Key, tensor.Tied, want)
				}
			}
		}
	}
}
