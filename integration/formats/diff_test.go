package formats

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wfs/integration/harness"
)

// differing is values as wfs diff --json has them, and as NumPy computed them.
type differing struct {
	Elements, Differing int64
	MaxAbs              *float64 `json:"max_abs"`
	MeanAbs             *float64 `json:"mean_abs"`
	MaxRel              *float64 `json:"max_rel"`
	MaxULP              *uint64  `json:"max_ulp"`
	Cosine              *float64
	NaNA                int64 `json:"nan_a"`
	NaNB                int64 `json:"nan_b"`
	NaNBoth             int64 `json:"nan_both"`
	InfA                int64 `json:"inf_a"`
	InfB                int64 `json:"inf_b"`
	InfBoth             int64 `json:"inf_both"`
	Close               bool
}

// compared is the JSON of wfs diff.
type compared struct {
	Same    bool
	Prefix  *struct{ A, B string }
	Counts  map[string]int
	Tensors []struct {
		Kind, Key string
		KeyB      string     `json:"key_b"`
		Verdict   string     `json:"values_are"`
		Values    *differing `json:"values"`
	}
}

func diffJSON(t *testing.T, code int, args ...string) (all compared) {
	t.Helper()
	r := harness.WFS(t, append([]string{"diff", "--json"}, args...)...)
	if r.Code != code || r.Stderr != "" {
		t.Fatalf("wfs diff %q: exit code %d, want %d\n%s", args, r.Code, code, r.Stderr)
	}
	harness.Must(t, json.Unmarshal([]byte(r.Stdout), &all))
	return all
}

// near reports whether two figures are the same but for the order of sums, and for nine digits.
func near(got, want *float64) bool {
	if got == nil || want == nil {
		return got == want
	}
	return math.Abs(*got-*want) <= 1e-7*math.Max(math.Abs(*got), math.Abs(*want))
}

// check compares what wfs says of a tensor with NumPy.
func (want differing) check(t *testing.T, key string, got *differing) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: no values", key)
		return
	}
	text := func(d differing) string {
		b, _ := json.Marshal(d)
		return string(b)
	}
	a, b := *got, want
	same := near(a.MaxAbs, b.MaxAbs) && near(a.MeanAbs, b.MeanAbs) && near(a.MaxRel, b.MaxRel) && near(a.Cosine, b.Cosine)
	if b.MaxULP != nil && (a.MaxULP == nil || *a.MaxULP != *b.MaxULP) {
		same = false
	}
	for _, d := range []*differing{&a, &b} {
		d.MaxAbs, d.MeanAbs, d.MaxRel, d.MaxULP, d.Cosine, d.Close = nil, nil, nil, nil, nil, false
	}
	if !same || a != b {
		t.Errorf("%s:\n%s, NumPy has\n%s", key, text(*got), text(want))
	}
}

// TestDiff compares what wfs diff says of two models with what NumPy and torch say, dtype by
// dtype.
func TestDiff(t *testing.T) {
	var c struct {
		A, B, Prefixed string
		Atol, Rtol     float64
		Tensors        map[string]differing
		Mixed, Same    int
	}
	harness.Python(t, harness.Torch, "write_differences.py", nil, &c, t.TempDir())
	all := diffJSON(t, 1, c.A, c.B)
	seen, others := 0, map[string]string{}
	for _, one := range all.Tensors {
		if want, ok := c.Tensors[one.Key]; ok {
			seen++
			want.check(t, one.Key, one.Values)
			kind, mixed := "changed", strings.HasPrefix(one.Key, "mixed.")
			if mixed {
				kind = "dtype"
			}
			if one.Kind != kind || mixed && (one.Verdict == "equal") != (want.Differing == 0) {
				t.Errorf("%s is %s, values %s", one.Key, one.Kind, one.Verdict)
			}
			continue
		}
		others[one.Key] = one.Kind + one.KeyB
	}
	if seen != len(c.Tensors) || all.Same || all.Counts["equal"] != c.Same {
		t.Errorf("%d tensors of %d; %v", seen, len(c.Tensors), all.Counts)
	}
	if fmt.Sprint(others) != "map[extra:added gone:removed old.name:renamednew.name shape:shape]" {
		t.Errorf("the rest is %v", others)
	}

	// With tolerances, what numpy.allclose calls close is no difference.
	tolerance := []string{"--atol", fmt.Sprint(c.Atol), "--rtol", fmt.Sprint(c.Rtol)}
	closeOnes := 0
	for _, one := range diffJSON(t, 1, append(tolerance, c.A, c.B)...).Tensors {
		want, ok := c.Tensors[one.Key]
		if !ok {
			continue
		}
		isClose := one.Kind == "close" || one.Verdict == "close" || one.Verdict == "equal"
		if isClose {
			closeOnes++
		}
		if isClose != want.Close {
			t.Errorf("%s is %s %s with tolerances, numpy.allclose says %v", one.Key, one.Kind, one.Verdict, want.Close)
		}
	}
	if closeOnes < 5 || closeOnes > len(c.Tensors)-5 {
		t.Errorf("%d of %d tensors are close: that tests little", closeOnes, len(c.Tensors))
	}
	if r := harness.WFS(t, append([]string{"diff", c.A, c.B, "large.close", "same.*"}, tolerance...)...); r.Code != 0 || !strings.Contains(r.Stdout, "1 within tolerance, 3 equal\n") {
		t.Errorf("of what is close: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}

	// The same verdicts, in brief; the same text twice.
	brief := diffJSON(t, 1, "--brief", c.A, c.B)
	if fmt.Sprint(brief.Counts) != fmt.Sprint(all.Counts) {
		t.Errorf("--brief counts %v, and %v without", brief.Counts, all.Counts)
	}
	first, again := harness.WFS(t, "diff", c.A, c.B), harness.WFS(t, "diff", c.A, c.B)
	if first.Stdout != again.Stdout || first.Code != 1 {
		t.Errorf("two runs differ:\n%s\n%s", first.Stdout, again.Stdout)
	}

	// A prefix that fits all keys, found with a tensor more on one side.
	prefixed := diffJSON(t, 1, c.Prefixed, c.A)
	if p := prefixed.Prefix; p == nil || p.A != "module." || p.B != "" || prefixed.Counts["equal"] != len(c.Tensors)+c.Same+3-1 || prefixed.Counts["added"] != 1 {
		t.Errorf("prefix %+v, %v", prefixed.Prefix, prefixed.Counts)
	}

	// A mount, and a view of it, hold the same.
	mount := harness.Mount(t, c.A)
	if same := diffJSON(t, 1, mount, c.A); len(same.Tensors) != 1 || same.Tensors[0].Kind != "added" { // safetensors has no complex128
		t.Errorf("a mount differs from its source: %v", same.Counts)
	}
	if r := harness.WFS(t, "diff", "--root-a", "state_dict", "--root-b", ".", c.A, c.B, "same.w"); r.Code != 0 || !strings.Contains(r.Stdout, "1 equal\n") {
		t.Errorf("roots: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r := harness.WFS(t, "diff", c.A, c.A); r.Code != 0 || !strings.HasSuffix(r.Stdout, fmt.Sprintf("%d identical\n", len(c.Tensors)+c.Same+3)) {
		t.Errorf("a file and itself: exit code %d\n%s", r.Code, r.Stdout)
	}
	if r := harness.WFS(t, "diff", "--quick", c.A, c.B); r.Code != 1 || !strings.Contains(r.Stdout, "not read") || strings.Contains(r.Stdout, "changed") {
		t.Errorf("--quick: exit code %d\n%s", r.Code, r.Stdout)
	}
}

// TestMountDiff mounts what differs: NumPy subtracts, and the summary says what wfs diff says.
func TestMountDiff(t *testing.T) {
	var c struct{ A, B string }
	harness.Python(t, harness.Torch, "write_differences.py", nil, &c, t.TempDir())
	mountpoint := harness.Mountpoint(t)
	t.Cleanup(func() { harness.Unmount(t, mountpoint) })
	if r := harness.WFS(t, "mount", "--diff", c.A, c.B, mountpoint); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	var problems []string
	harness.Python(t, harness.Torch, "verify_delta.py", nil, &problems, mountpoint)
	for _, p := range problems {
		t.Error(p)
	}
	sizes := map[string]int64{}
	for _, name := range []string{"summary.txt", "summary.json"} {
		info, err := os.Stat(filepath.Join(mountpoint, name))
		harness.Must(t, err)
		sizes[name] = info.Size()
	}
	var entries []struct{ Kind, Key string }
	text := harness.ReadFile(t, mountpoint, "summary.json")
	harness.Must(t, json.Unmarshal(text, &entries))
	kinds := map[string]string{}
	for _, e := range entries {
		kinds[e.Key] = e.Kind
	}
	for _, one := range diffJSON(t, 1, c.A, c.B).Tensors {
		want := one.Kind
		if want == "renamed" { // a mount looks for no renames
			want = "removed"
		}
		if kinds[one.Key] != want {
			t.Errorf("summary.json calls %s %s, wfs diff %s", one.Key, kinds[one.Key], want)
		}
	}
	lines := harness.ReadFile(t, mountpoint, "summary.txt")
	if int64(len(text)) != sizes["summary.json"] || int64(len(lines)) != sizes["summary.txt"] || strings.Count(string(lines), "\n") != len(entries) {
		t.Errorf("%d lines for %d entries", strings.Count(string(lines), "\n"), len(entries))
	}
	for _, args := range [][]string{{"mount", "--diff", c.A, mountpoint}, {"mount", "--diff", "--layout", "hf", c.A, c.B, mountpoint}} {
		if r := harness.WFS(t, args...); r.Code != 2 {
			t.Errorf("wfs %q: exit code %d", args, r.Code)
		}
	}
	harness.Refused(t, []string{"mount", "--diff", c.A, c.B + ".missing", harness.Mountpoint(t)}, "missing")
}

// TestDiffHDF5 compares two HDF5 files of other layouts with what h5py and NumPy say, and
// with the mount of one.
func TestDiffHDF5(t *testing.T) {
	var c struct {
		A, B    string
		Tensors map[string]differing
	}
	harness.Python(t, harness.Keras, "write_differences_hdf5.py", nil, &c, t.TempDir())
	all := diffJSON(t, 1, c.A, c.B)
	for _, one := range all.Tensors {
		c.Tensors[one.Key].check(t, one.Key, one.Values)
	}
	if len(all.Tensors) != len(c.Tensors) || all.Counts["equal"] != 1 {
		t.Errorf("%v, want %d that differ", all.Counts, len(c.Tensors))
	}
	if r := harness.WFS(t, "diff", c.A, harness.Mount(t, c.A)); r.Code != 0 || r.Stdout != "4 equal\n" {
		t.Errorf("a file and its mount: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
