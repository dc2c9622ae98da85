package commands

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// layered is a model of twelve layers, with an embedding that is tied to its head.
func layered(t *testing.T) string {
	t.Helper()
	zeros := func(key, dtype string, bytes, n int64) harness.Tensor {
		return harness.Tensor{Key: key, DType: dtype, Shape: []int64{n}, Data: make([]byte, bytes*n)}
	}
	tensors := []harness.Tensor{zeros("model.embed.weight", "F32", 4, 1000)}
	for i := range 12 {
		tensors = append(tensors, zeros(fmt.Sprintf("model.layers.%d.q.weight", i), "BF16", 2, int64(10+i)), zeros(fmt.Sprintf("model.layers.%d.q.bias", i), "F32", 4, 1))
	}
	path := filepath.Join(t.TempDir(), "layered.safetensors")
	harness.WriteSafetensors(t, path, nil, append(tensors, zeros("lm_head.weight", "F32", 4, 1000))...)
	return path
}

// column is a column of what ls printed, without the header.
func column(text string, i int) []string {
	var cells []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > i {
			cells = append(cells, fields[i])
		}
	}
	return cells[1:]
}

// TestLsPicks picks and sorts tensors.
func TestLsPicks(t *testing.T) {
	source := layered(t)
	for args, want := range map[string]string{
		"lm_head":                         "lm_head.weight",
		"model.layers.1":                  "model.layers.1.q.weight model.layers.1.q.bias",
		"model.layers.[01].*bias lm_head": "model.layers.0.q.bias model.layers.1.q.bias lm_head.weight",
		"--sort=name model.layers.{2,10,1}.q.weight": "model.layers.1.q.weight model.layers.2.q.weight model.layers.10.q.weight",
		"--sort=size model.layers.?.q.weight":        "model.layers.9.q.weight model.layers.8.q.weight model.layers.7.q.weight model.layers.6.q.weight model.layers.5.q.weight model.layers.4.q.weight model.layers.3.q.weight model.layers.2.q.weight model.layers.1.q.weight model.layers.0.q.weight",
	} {
		words := strings.Fields(args)
		at := 0
		if strings.HasPrefix(words[0], "--") {
			at = 1
		}
		for _, form := range []string{"--color=auto", "--long", "--tsv"} {
			line := slices.Concat([]string{"ls", form}, words[:at], []string{source}, words[at:])
			if r := harness.WFS(t, line...); r.Code != 0 || strings.Join(column(r.Stdout, 0), " ") != want {
				t.Errorf("%q: exit code %d\n%s%s", line, r.Code, r.Stdout, r.Stderr)
			}
		}
	}
	harness.Refused(t, []string{"ls", source, "lm_head", "lm_haed"}, "lm_haed", "did you mean", "lm_head.weight")
	harness.Refused(t, []string{"ls", source, "x*"}, "no tensor matches")
	for _, args := range [][]string{{}, {""}, {"--tree", "--json", source}, {"--sort", "date", source}, {"--color", "red", source}, {"--depth", "-1", source}} {
		if r := harness.WFS(t, append([]string{"ls"}, args...)...); r.Code != 2 {
			t.Errorf("%q: exit code %d", args, r.Code)
		}
	}
}

// TestLsTotals counts tied tensors once.
func TestLsTotals(t *testing.T) {
	var all struct {
		Totals struct {
			Tensors           int
			Parameters, Bytes int64
			DTypes            map[string]int64 `json:"bytes_by_dtype"`
		}
	}
	r := harness.WFS(t, "ls", "--json", layered(t))
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil {
		t.Fatal(err)
	}
	weights := int64(12*10 + 66)
	if n := all.Totals; n.Tensors != 26 || n.Parameters != 2000+12+weights || n.Bytes != 4*2012+2*weights || n.DTypes["BF16"] != 2*weights || n.DTypes["F32"] != 4*2012 {
		t.Errorf("%+v", n)
	}
}

// TestLsTree folds keys into directories.
func TestLsTree(t *testing.T) {
	source := layered(t)
	r := harness.WFS(t, "ls", "--tree", "--depth", "2", "--sort", "name", source)
	want := []string{
		source + "  26 tensors, 2,198 parameters, 8.2 KiB (F32 7.9 KiB, BF16 372 B)",
		"├── lm_head  1 tensor, 3.9 KiB",
		"│   └── weight  F32 [1000] 3.9 KiB",
		"└── model    25 tensors, 4.3 KiB",
		"    ├── embed   1 tensor, 3.9 KiB",
		"    └── layers  24 tensors, 420 B",
		"",
	}
	if got := strings.Split(r.Stdout, "\n"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if r := harness.WFS(t, "ls", "--tree", "--depth", "0", source, "model.layers.11"); !strings.Contains(r.Stdout, "└── model.layers.11.q  2 tensors, 46 B\n    ├── weight  BF16 [21] 42 B\n    └── bias    F32 [1] 4 B\n") {
		t.Errorf("directories with one directory in them:\n%s", r.Stdout)
	}
}

// TestLsTerminal shows totals and colours on a terminal, no wider than it is, and neither in
// a pipe.
func TestLsTerminal(t *testing.T) {
	source := layered(t)
	on := func(environment, flags string) string {
		cmd := exec.Command("script", "--quiet", "--return", "--command", "stty cols 50 rows 24; '"+harness.Binary()+"' ls "+flags+" '"+source+"' model", os.DevNull)
		cmd.Env = append(os.Environ(), "TERM=xterm", environment)
		return harness.Run(t, time.Minute, cmd).Stdout
	}
	text := on("A=b", "")
	if !strings.Contains(text, "\x1b[36mBF16\x1b[0m") || !strings.Contains(text, "25 tensors, 1,198 parameters") || !strings.Contains(text, "…") {
		t.Errorf("on a terminal:\n%s", text)
	}
	for _, plain := range []string{on("NO_COLOR=1", ""), on("A=b", "--color never"), on("TERM=dumb", "")} {
		if strings.Contains(plain, "\x1b") || !strings.Contains(plain, "25 tensors") {
			t.Errorf("without colours:\n%q", plain)
		}
		for line := range strings.Lines(plain) {
			if n := len([]rune(strings.TrimSpace(line))); n > 50 && !strings.Contains(line, "tensors") {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
	if r := harness.WFS(t, "ls", source); strings.Contains(r.Stdout, "\x1b") || strings.Contains(r.Stdout, "tensors") {
		t.Errorf("in a pipe:\n%s", r.Stdout)
	}
	if r := harness.WFS(t, "ls", "--color=always", source); !strings.Contains(r.Stdout, "\x1b[36mBF16\x1b[0m") {
		t.Errorf("--color=always:\n%s", r.Stdout)
	}
}

// TestLsModels lists the models of a directory, and which of them cannot be read.
func TestLsModels(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b/c"} {
		harness.Must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		harness.WriteSafetensors(t, filepath.Join(dir, name, "model.safetensors"), nil, harness.SmallTensors()...)
	}
	r := harness.WFS(t, "ls", dir)
	if got := column(r.Stdout, 0); r.Code != 0 || !slices.Equal(got, []string{filepath.Join(dir, "a"), filepath.Join(dir, "b/c")}) || strings.Count(r.Stdout, "  4 tensors, 57 parameters, ") != 2 {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	harness.Must(t, os.MkdirAll(filepath.Join(dir, "broken"), 0o755))
	harness.Must(t, os.WriteFile(filepath.Join(dir, "broken/model.safetensors"), []byte("not one at all, and long enough"), 0o644))
	r = harness.WFS(t, "ls", "--json", dir)
	var all struct {
		Models []struct {
			Path, Error string
			Tensors     int
		}
	}
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil || r.Code != 1 || len(all.Models) != 3 || all.Models[2].Error == "" || all.Models[0].Tensors != 4 {
		t.Errorf("exit code %d, %v, %s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	harness.Refused(t, []string{"cp", dir, filepath.Join(t.TempDir(), "x")}, "it holds 3 models")
}
