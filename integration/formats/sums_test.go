package formats

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/integration/harness"
)

// TestSums compares wfs sum with what torch and hashlib compute of the tensors in memory,
// for one model in every kind of file, and for mounts of them, and has sha256sum check
// raw/.
func TestSums(t *testing.T) {
	type model struct {
		Name, Model string
		Sums        map[string]string
		Sources     []string
	}
	dir := t.TempDir()
	var cases, arrays []model
	harness.Python(t, harness.Torch, "write_sums.py", nil, &cases, dir)
	harness.Python(t, harness.Keras, "write_sums_hdf5.py", nil, &arrays, dir)
	for _, c := range append(cases, arrays...) {
		var first string
		same := func(source string) string {
			t.Helper()
			r := harness.WFS(t, "sum", source)
			if r.Code != 0 || first != "" && r.Stdout != first {
				t.Errorf("wfs sum %s: exit code %d\n%s%swant\n%s", source, r.Code, r.Stderr, r.Stdout, first)
			}
			if lines := strings.Split(r.Stdout, "\n"); lines[len(lines)-2] != c.Model+" *model" {
				t.Errorf("%s: the last line is %q, want %s", source, lines[len(lines)-2], c.Model)
			}
			return r.Stdout
		}
		for _, source := range c.Sources {
			text := same(source)
			if first == "" {
				first = text
			}
			var all struct {
				Model   string
				Tensors []struct{ Key, SHA256 string }
			}
			harness.Must(t, json.Unmarshal([]byte(harness.WFS(t, "sum", "--json", source).Stdout), &all))
			if len(all.Tensors) != len(c.Sums) || all.Model != c.Model {
				t.Errorf("%s: %d tensors, want %d", source, len(all.Tensors), len(c.Sums))
			}
			for _, one := range all.Tensors {
				if c.Sums[one.Key] != one.SHA256 {
					t.Errorf("%s: %q is %s, want %s", source, one.Key, one.SHA256, c.Sums[one.Key])
				}
			}
			mount := harness.Mount(t, source)
			same(mount)
			if _, err := os.Stat(filepath.Join(mount, "model.safetensors")); err == nil {
				same(filepath.Join(mount, "model.safetensors"))
			}
			check := exec.Command("sha256sum", "--check", "--strict", "meta/SHA256SUMS")
			check.Dir = mount
			r := harness.Run(t, time.Minute, check)
			files := 0
			harness.Must(t, filepath.WalkDir(filepath.Join(mount, "raw"), func(_ string, e fs.DirEntry, err error) error {
				if err == nil && !e.IsDir() {
					files++
				}
				return err
			}))
			if r.Code != 0 || strings.Count(r.Stdout, ": OK\n") != files || files < len(c.Sums) {
				t.Errorf("%s: sha256sum -c: exit code %d, %d files\n%s%s", source, r.Code, files, r.Stdout, r.Stderr)
			}
			if raw := harness.WFS(t, "sum", "--raw", source); raw.Stdout != string(harness.ReadFile(t, mount, "meta/SHA256SUMS")) {
				t.Errorf("%s: wfs sum --raw prints\n%s", source, raw.Stdout)
			}
		}
	}
	checkSums(t, dir, cases[0].Sources[0], cases[0].Sources[3])
}

// checkSums compares a source with a list of another, which then is changed.
func checkSums(t *testing.T, dir, source, other string) {
	t.Helper()
	list := filepath.Join(dir, "sums")
	text := harness.WFS(t, "sum", source).Stdout
	count := strings.Count(text, "\n")
	check := func(text string, code int, args ...string) harness.Result {
		t.Helper()
		harness.Must(t, os.WriteFile(list, []byte(text), 0o644))
		r := harness.WFS(t, append([]string{"sum", "--check", list, other}, args...)...)
		if r.Code != code {
			t.Errorf("--check %q: exit code %d, want %d\n%s%s", args, r.Code, code, r.Stdout, r.Stderr)
		}
		return r
	}
	if r := check(text, 0); strings.Count(r.Stdout, ": OK\n") != count || !strings.Contains(r.Stdout, "model: OK\n") || r.Stderr != "" {
		t.Errorf("%s%s", r.Stdout, r.Stderr)
	}
	for _, flag := range []string{"--quiet", "--status"} {
		if r := check(strings.ReplaceAll(text, "\n", "\r\n"), 0, flag); r.Stdout+r.Stderr != "" {
			t.Errorf("%s prints %s%s", flag, r.Stdout, r.Stderr)
		}
	}
	wrong := strings.Replace(text, "\n", "\n"+strings.Repeat("0", 64)+"  nothing\nno line\n# a comment\n\n", 1)
	wrong = strings.Repeat("f", 64) + wrong[64:]
	r := check(wrong, 1, "--quiet")
	if !strings.Contains(r.Stdout, ": FAILED\nnothing: FAILED, no such tensor\n") || strings.Contains(r.Stdout, "OK") {
		t.Errorf("prints %s", r.Stdout)
	}
	for _, words := range []string{"1 line that wfs sum", fmt.Sprintf("1 sum of %d did not match, 1 tensor not there", count+1)} {
		if !strings.Contains(r.Stderr, words) {
			t.Errorf("does not say %q:\n%s", words, r.Stderr)
		}
	}
	if r := check(wrong, 1, "--status"); r.Stdout+r.Stderr != "" {
		t.Errorf("--status prints %s%s", r.Stdout, r.Stderr)
	}
	first, rest, _ := strings.Cut(text, "\n")
	check(first+"\n", 0)
	if r := check(rest, 0, "--quiet"); r.Stdout+r.Stderr != "" { // the model's line is right, whatever else is listed
		t.Errorf("prints %s%s", r.Stdout, r.Stderr)
	}
	check("nothing\n", 1)
	raw := harness.WFS(t, "sum", "--raw", source).Stdout
	check(raw, 0, "--raw")
	check(raw, 1)
}
