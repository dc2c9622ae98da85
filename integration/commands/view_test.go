package commands

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wfs/integration/harness"
)

// TestView explains views by files of rules and by flags, and refuses files that are wrong.
func TestView(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "m.safetensors")
	floats := func(key string, values ...float32) harness.Tensor {
		data, err := binary.Append(nil, binary.LittleEndian, values)
		harness.Must(t, err)
		return harness.Tensor{Key: key, DType: "F32", Shape: []int64{int64(len(values))}, Data: data}
	}
	harness.WriteSafetensors(t, model, nil, floats("m.a.0.w", 1, 2), floats("m.a.1.w", 3, 4), floats("m.n", 1e-9, 70000), floats("opt.x", 0))
	file := func(text string) string {
		path := filepath.Join(dir, "rules.toml")
		harness.Must(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	path := file("[[rename]]\nfrom = 'm.{k*}'\nto = '{k}'\n[[tensor]]\nfrom = 'a.{i#}.w'\nto = 'a.w'\ndo = 'stack 0'\n[select]\nexclude = 'opt'\n")
	at := func(place string) string { return path + ":" + place + ": " }
	want := strings.Join([]string{
		"a.w  BF16 [2, 2]  model.safetensors", "    of m.a.0.w and m.a.1.w",
		"    " + at("2:8") + `"m.a.0.w" is renamed to "a.0.w" by "m.{k*}" to "{k}"`, "    " + at("2:8") + `"m.a.1.w" is renamed to "a.1.w" by "m.{k*}" to "{k}"`,
		"    " + at("4:3") + `made by "a.{i#}.w" to "a.w": stack 0`, "    --dtype: cast from F32 to BF16",
		"n  F32 [2]  model.safetensors", "    of m.n", "    " + at("2:8") + `"m.n" is renamed to "n" by "m.{k*}" to "{k}"`, "    --keep: stays F32",
		"opt.x  is not in the view", "    " + at("9:11") + "excluded", "",
	}, "\n")
	r := harness.WFS(t, "view", "--dtype", "bf16", "--keep", "n", path, model)
	if r.Code != 0 || r.Stdout != want {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", r.Code, r.Stderr, r.Stdout, want)
	}
	var out struct {
		Tensors []struct {
			Key       string
			From, Why []string
		}
		Gone []struct {
			Key string
			Why []string
		}
	}
	r = harness.WFS(t, "view", "--json", "--view", path, model)
	harness.Must(t, json.Unmarshal([]byte(r.Stdout), &out))
	if len(out.Tensors) != 2 || !slices.Equal(out.Tensors[0].From, []string{"m.a.0.w", "m.a.1.w"}) || len(out.Tensors[0].Why) != 3 || len(out.Gone) != 1 || out.Gone[0].Key != "opt.x" {
		t.Errorf("%s", r.Stdout)
	}
	r = harness.WFS(t, "view", "--check", "--dtype", "f16", model)
	counts := "m.n  F32 to F16: 2 numbers, 1 too large, 0 infinite, 0 NaN, 1 become zero\n4 tensors: 7 numbers, 1 too large, 0 infinite, 0 NaN, 1 become zero\n"
	if r.Code != 1 || r.Stdout != counts {
		t.Errorf("--check: exit code %d, %s\n%s", r.Code, r.Stderr, r.Stdout)
	}
	if r = harness.WFS(t, "view", "--check", "--dtype", "bf16", model); r.Code != 0 {
		t.Errorf("--check of what fits: exit code %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
	for _, c := range []struct{ text, want string }{
		{"[cats]\nto = 'bf16'", `1:2: a file of rules has no "cats", did you mean "cast"?`},
		{"[[rename]]\nfrom = 'm.{k*}'\nto = 'x'", `3:6: both "m.a.0.w" and "m.a.1.w" would be called "x"`},
		{"[[tensor]]\nfrom = 'm.n'\nto = 'm.n'\ndo = 'reshape 3 -1'", `4:6: "reshape 3 -1", of "m.n": reshape: `},
		{"[let]\nh = 'config.heads'\n[[tensor]]\nfrom = 'm.n'\nto = 'm.n'\ndo = 'reshape h -1'", `2:5: config.json: there is none beside the weights`},
		{"[sources]\nb = 'gone.safetensors'\n[[tensor]]\nfrom = 'm.n'\nto = 'm.n'\ndo = 'add b:x'", `2:5: `},
		{"[select]\nexclude = 'nothing'", `2:11: "nothing" matches no tensor of the view`},
	} {
		harness.Refused(t, []string{"view", file(c.text), model}, path+":"+c.want)
		harness.Refused(t, []string{"cp", "--view", path, model, filepath.Join(dir, "out.safetensors")}, path+":"+c.want)
	}
	if _, err := os.Stat(filepath.Join(dir, "out.safetensors")); err == nil {
		t.Error("a view that was refused was written")
	}
	for _, args := range [][]string{{"view"}, {"view", "a", "b", "c"}, {"view", "--schema", "x"}, {"view", "--view", "a", "b", "c"}, {"view", "--check", "--explain", "x"}, {"view", "--example", "expert"}} {
		if r := harness.WFS(t, args...); r.Code != 2 || strings.Count(r.Stderr, "\n") != 1 {
			t.Errorf("%q: exit code %d, %s", args, r.Code, r.Stderr)
		}
	}
}
