package commands

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestCat writes what a mount shows of a tensor, and every other file of it.
func TestCat(t *testing.T) {
	source := harness.Large(t)
	m := harness.Mount(t, source)
	for args, file := range map[string]string{
		"layer.3.weight":                "raw/layer.3.weight.bin",
		"--npy layer.3.weight":          "tensors/layer.3.weight.npy",
		"layer.3.weight.bin":            "raw/layer.3.weight.bin",
		"raw/layer.3.weight.bin":        "raw/layer.3.weight.bin",
		"tree/layer/3/weight.npy":       "tree/layer/3/weight.npy",
		"meta/index.json":               "meta/index.json",
		"./meta/tensors.tsv":            "meta/tensors.tsv",
		"model.safetensors":             "model.safetensors",
		"--slice 0:1024 layer.0.weight": "raw/layer.0.weight.bin",
	} {
		words := strings.Fields(args)
		words = append(append([]string{"cat"}, words[:len(words)-1]...), source, words[len(words)-1])
		if r := harness.WFS(t, words...); r.Code != 0 || r.Stdout != string(harness.ReadFile(t, m, file)) {
			t.Errorf("cat %s: exit code %d, %d bytes, %s", args, r.Code, len(r.Stdout), r.Stderr)
		}
	}
	row := string(harness.ReadFile(t, m, "raw/layer.0.weight.bin")[5*4096:][:4096])
	if r := harness.WFS(t, "cat", "--slice", "5", source, "layer.0.weight"); r.Stdout != row {
		t.Errorf("--slice 5: %d bytes, %s", len(r.Stdout), r.Stderr)
	}
	r := harness.WFS(t, "cat", "--text", source, "layer.1?.weight")
	if n := strings.Count(r.Stdout, " I32 [1024, 1024]\n[["); n != 6 {
		t.Errorf("a pattern prints %d tensors: %.300s %s", n, r.Stdout, r.Stderr)
	}
	var object struct {
		Key, DType string
		Shape      []int64
		Values     [][]int64
	}
	r = harness.WFS(t, "cat", "--json", "--slice", ":2, ::-500", source, "layer.0.weight")
	if err := json.Unmarshal([]byte(r.Stdout), &object); err != nil || object.Key != "layer.0.weight" || object.DType != "I32" || len(object.Values) != 2 || len(object.Values[1]) != 3 {
		t.Errorf("--json: %v, %s", err, r.Stdout)
	}
	// The reader of a pipe is gone: nothing is said.
	r = harness.Run(t, time.Minute, exec.Command("bash", "-c", `"$0" cat "$1" layer.0.weight | head -c 10 | wc -c; echo ${PIPESTATUS[0]}`, harness.Binary(), source))
	if r.Stdout != "10\n141\n" || r.Stderr != "" {
		t.Errorf("into a pipe that is closed: %q, %q", r.Stdout, r.Stderr)
	}
}

// TestCatReads reads no more than a slice takes.
func TestCatReads(t *testing.T) {
	source := harness.Large(t)
	for _, args := range [][]string{{"--slice", "::100, 0"}, {"--slice", "-1, ::-1"}, {"--text"}} {
		log := filepath.Join(t.TempDir(), "log")
		cmd := harness.Strace(t, log, "pread64", append(append([]string{harness.Binary(), "cat"}, args...), source, "layer.0.weight")...)
		if r := harness.Run(t, time.Minute, cmd); r.Code != 0 {
			t.Fatal(r.Stderr)
		}
		if n := strings.Count(string(harness.ReadFile(t, log)), "= 262144"); n > 4 {
			t.Errorf("%q: %d reads of 256 KiB", args, n)
		}
	}
}

// TestCatRefused refuses in one line, and names the nearest.
func TestCatRefused(t *testing.T) {
	source := harness.Small(t)
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{source, "nothing.like.it"}, []string{`"nothing.like.it"`, "wfs ls"}},
		{[]string{source, "W"}, []string{"did you mean", `"w"`}},
		{[]string{source, "meta"}, []string{"is a directory"}},
		{[]string{source, "x*y"}, []string{"no tensor matches"}},
		{[]string{source, "../../etc/passwd"}, []string{"no tensor"}},
		{[]string{"--slice", "99", source, "w"}, []string{"index 99 is out of bounds for axis 0", `"w"`}},
		{[]string{"--slice", "0,0,0,0,0", source, "w"}, []string{"too many indices"}},
		{[]string{filepath.Join(filepath.Dir(source), "nothing"), "w"}, []string{"no such file"}},
	} {
		harness.Refused(t, append([]string{"cat"}, c.args...), c.words...)
	}
	for _, args := range [][]string{
		{}, {source}, {"--slice", "a", source, "w"}, {"--slice", "::0", source, "w"}, {"--slice", "...,...", source, "w"}, {"--slice", "1,,2", source, "w"},
		{"--text", "--json", source, "w"}, {"--text", source, "meta/index.json"}, {source, "*"},
	} {
		r := harness.WFS(t, append([]string{"cat"}, args...)...)
		if r.Code != 2 {
			t.Errorf("%q: exit code %d, %s", args, r.Code, r.Stderr)
		}
		harness.CheckOneLine(t, r)
	}
	r := harness.Run(t, time.Minute, exec.Command("script", "--quiet", "--return", "--command", "'"+harness.Binary()+"' cat "+source+" w", os.DevNull))
	if r.Code != 1 || !strings.Contains(r.Stdout, "--text") || bytes.Count([]byte(r.Stdout), []byte("\n")) != 1 {
		t.Errorf("to a terminal: exit code %d, %q", r.Code, r.Stdout)
	}
}
