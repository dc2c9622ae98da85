package integration

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
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
	r := wfs(t, append([]string{"ls", "--json"}, args...)...)
	if r.code != 0 {
		t.Fatalf("ls: %s", r.stderr)
	}
	must(t, json.Unmarshal([]byte(r.stdout), &all))
	return all
}

// TestLs compares what ls prints with meta/index.json of a mount, for keys of every
// kind, and checks that a terminal has nothing to obey.
func TestLs(t *testing.T) {
	var cases []checkpoint
	python(t, "torch", "write_names.py", nil, &cases, t.TempDir())
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			all := lsJSON(t, c.Source)
			var index listed
			must(t, json.Unmarshal(readFile(t, mount(t, c.Source), "meta/index.json"), &index))
			if len(all.Tensors) == 0 || !reflect.DeepEqual(all.Tensors, index.Tensors) || all.Source != c.Source {
				t.Errorf("ls has %d tensors of %s, meta/index.json %d", len(all.Tensors), all.Source, len(index.Tensors))
			}
			keys := map[string]bool{}
			for _, tensor := range all.Tensors {
				key := tensor.Key
				if tensor.Hex != "" {
					b, err := hex.DecodeString(tensor.Hex)
					must(t, err)
					key = string(b)
				}
				keys[key] = true
			}
			r := wfs(t, "ls", c.Source)
			lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
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
	var layouts []model
	python(t, "torch", "write_layouts.py", nil, &layouts, t.TempDir())
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
	var cases []checkpoint
	python(t, "torch", "write_torch.py", nil, &cases, t.TempDir())
	for _, c := range cases {
		switch c.Name {
		case "nested":
			all, view := lsJSON(t, c.Source), lsJSON(t, "--root", "optimizer.state", c.Source)
			if len(view.Tensors) != 2 || view.Tensors[0].Key != "0.exp_avg" || len(all.Tensors) <= 2 {
				t.Errorf("--root optimizer.state: %+v", view.Tensors)
			}
			refused(t, []string{"ls", "--root", "nothing", c.Source}, "nested.pt", `"nothing"`, `"state_dict"`)
		case "tied":
			for _, tensor := range lsJSON(t, c.Source).Tensors {
				if want := map[string]string{"lm_head.weight": "embed.weight", "alias": "embed.weight"}[tensor.Key]; tensor.Tied != want {
					t.Errorf("%s is tied to %q, want %q", tensor.Key, tensor.Tied, want)
				}
			}
		}
	}
}

// TestLsPipe closes the pipe that a long list goes to: that is no error to speak of.
func TestLsPipe(t *testing.T) {
	var header strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&header, `,"tensor.%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`, i)
	}
	text := "{" + header.String()[1:] + "}"
	source := filepath.Join(t.TempDir(), "long.safetensors")
	length := len(text)
	start := []byte{byte(length), byte(length >> 8), byte(length >> 16), byte(length >> 24), 0, 0, 0, 0}
	must(t, os.WriteFile(source, append(start, text...), 0o644))
	for _, flags := range []string{"", "--json"} {
		r := execute(t, time.Minute, exec.Command("bash", "-c", `"$0" ls `+flags+` "$1" | head -c 100`, binary, source))
		if r.code != 0 || r.stderr != "" || len(r.stdout) != 100 {
			t.Errorf("ls %s: exit code %d, %d bytes, stderr %q", flags, r.code, len(r.stdout), r.stderr)
		}
	}
}
