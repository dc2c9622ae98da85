package keras

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/hdf5"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// said is what Keras says of the models of testdata/make_models.py.
func said(t *testing.T) (s struct {
	Order []struct {
		Shape []int64
		First float64
	}
	Weights int
}) {
	t.Helper()
	if err := json.Unmarshal(fixture(t, "testdata/models.json"), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOrder compares the order of the view with that of Keras's get_weights().
func TestOrder(t *testing.T) {
	c, err := openBytes(fixture(t, "testdata/order.keras"))
	if err != nil {
		t.Fatal(err)
	}
	views, want := c.Below(root(c)), said(t).Order
	if len(views) != len(want) {
		t.Fatalf("%d tensors, want %d", len(views), len(want))
	}
	for i, v := range views {
		var b [4]byte
		if _, err := v.Data.ReadAt(b[:], 0); err != nil {
			t.Fatal(err)
		}
		first := math.Float32frombits(binary.LittleEndian.Uint32(b[:]))
		if !slices.Equal(v.Shape, want[i].Shape) || first != float32(want[i].First) {
			t.Errorf("%d: %s %v begins with %v, want %v", i, v.Key, v.Shape, first, want[i])
		}
	}
}

// TestOptimizers opens a model with optimizers under names of its own: the view has what
// model.weights has, and a layer that only is called an optimizer is in it.
func TestOptimizers(t *testing.T) {
	c, err := openBytes(fixture(t, "testdata/optimizers.keras"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keys(c), said(t).Weights; len(got) != want {
		t.Errorf("view %q, want %d", got, want)
	}
	var all []*checkpoint.Tensor
	add := func(dtype checkpoint.DType, key string, shape ...int64) {
		all = append(all, &checkpoint.Tensor{Key: key, DType: dtype, Shape: shape})
	}
	add(checkpoint.F32, "a_optimizer/vars/0", 3, 4) // a layer
	add(checkpoint.F32, "a_optimizer/vars/1", 4)
	for _, key := range []string{"b/vars/0", "d/opt/vars/0", "f/sgd/vars/0", "adopt/vars/0"} {
		add(checkpoint.I64, key)
	}
	add(checkpoint.I64, "c/vars/0", 2)
	add(checkpoint.F32, "e_optimizer/vars/0")
	// What has the layout of an optimizer, by other names; and what has not.
	for _, group := range []string{"g", "layers/dense", "other", "scalars"} {
		add(checkpoint.I64, group+"/vars/0")
		add(checkpoint.F32, group+"/vars/1")
	}
	for _, group := range []string{"g", "layers/dense"} {
		add(checkpoint.F32, group+"/vars/2", 3, 4)
		add(checkpoint.F32, group+"/vars/3", 4)
	}
	add(checkpoint.F32, "other/vars/2", 3, 4)
	add(checkpoint.F32, "other/vars/3", 5)
	add(checkpoint.I64, "scaled/vars/0")
	add(checkpoint.I64, "scaled/inner_optimizer/vars/0")
	tr := newTrained(all, map[string]map[string]any{"b/vars": {"name": "sgd_12"}, "c/vars": {"name": "adam"}, "f/sgd/vars": {"name": "counter"}})
	for key, want := range map[string]string{
		"a_optimizer/vars/0": "", "a_optimizer/vars/1": "", "b/vars/0": "optimizer state", "b/vars/3": "optimizer state",
		"c/vars/0": "", "d/opt/vars/7": "optimizer state", "e_optimizer/vars/0": "", "f/sgd/vars/0": "", "adopt/vars/0": "",
		"optimizer/vars/0": "optimizer state", "optimizer/kernel": "", "metrics/mean/vars/1": "state of a metric", "vars/0": "",
		"g/vars/0": "optimizer state", "g/vars/3": "optimizer state", "layers/dense/vars/2": "", "other/vars/2": "", "scalars/vars/0": "",
		"scaled/vars/0": "optimizer state", "scaled/inner_optimizer/vars/0": "optimizer state",
	} {
		if got := tr.why(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// TestPassedThrough finds the members that Keras wants of a directory, wherever they lie
// in the file.
func TestPassedThrough(t *testing.T) {
	b := fixture(t, "testdata/order.keras")
	src := segment.Literal(b)
	if !isArchive(b[:64], src) || startsAsKeras(b[:64]) {
		t.Error("it is not detected by its directory")
	}
	c, err := openBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range c.Files {
		names = append(names, f.Path)
		p := make([]byte, f.Size())
		if _, err := f.ReadAt(p, 0); err != nil {
			t.Errorf("%s: %v", f.Path, err)
		}
		if f.Path == weightsMember && string(p[:8]) != signature {
			t.Errorf("%s begins with %q", f.Path, p[:8])
		}
	}
	slices.Sort(names)
	if want := "[assets/text/words.txt config.json metadata.json model.weights.h5]"; fmt.Sprint(names) != want {
		t.Errorf("%q, want %s", names, want)
	}
	if len(c.Omitted) != 1 || c.Omitted[0].Key != "notes.txt" {
		t.Errorf("omitted: %v", c.Omitted)
	}
	names = nil
	for name := range assetNames(map[string]bool{
		"assets/a": true, "assets/b/c": true, "assets/../x": true, "assets//y": true, "assets/d": true, "assets/d/e": true, "other": true,
		"assets/" + strings.Repeat("n", 256): true, `assets/w\x`: true,
	}) {
		names = append(names, name)
	}
	slices.Sort(names)
	if fmt.Sprint(names) != "[assets/a assets/b/c assets/d]" {
		t.Errorf("assets %q", names)
	}
}

// TestStaleMember changes a .keras file: what is passed through of it is an error too.
func TestStaleMember(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.keras")
	if err := os.WriteFile(path, fixture(t, "testdata/order.keras"), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	c, err := Open(src, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files {
		if err := f.Verify(); !errors.Is(err, source.ErrStale) {
			t.Errorf("%s is of a file that was changed: %v", f.Path, err)
		}
	}
}

// TestCensus opens files with everything in them: what is no tensor is omitted with a
// reason.
func TestCensus(t *testing.T) {
	names, err := filepath.Glob("../hdf5/testdata/*.h5")
	if err != nil || len(names) < 8 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		b := fixture(t, name)
		c, err := openBytes(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		shown := map[string]bool{}
		for _, v := range c.Tensors {
			shown[v.Key] = true
		}
		for _, o := range c.Omitted {
			if shown[o.Key] || o.Reason == "" {
				t.Errorf("%s: %s is omitted for %q", name, o.Key, o.Reason)
			}
			shown[o.Key] = true
		}
		f, err := hdf5.Open(strings.NewReader(string(b)), int64(len(b)), hdf5.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Walk(func(path string, obj hdf5.Object) error {
			switch obj.(type) {
			case *hdf5.Dataset, *hdf5.Unreachable:
				// How much of names without end is given depends on what else is read.
				if !shown[path] && filepath.Base(name) != "dag.h5" {
					t.Errorf("%s: %s is neither shown nor omitted", name, path)
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestOpaque shows opaque elements as their bytes.
func TestOpaque(t *testing.T) {
	c, err := openBytes(fixture(t, "../hdf5/testdata/latest.h5"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Tensors {
		if v.Key == "types/V2" || v.Key == "types/|V2" {
			if v.DType != checkpoint.U8 || !slices.Equal(v.Shape, []int64{2, 3, 2}) {
				t.Errorf("%s is %s %v", v.Key, v.DType, v.Shape)
			}
			if !slices.ContainsFunc(c.Notes, func(n string) bool { return strings.Contains(n, "opaque") }) {
				t.Errorf("notes %q", c.Notes)
			}
			return
		}
	}
	t.Error("it is missing")
}

func TestSnakeCase(t *testing.T) {
	for class, want := range map[string]string{
		"Dense": "dense", "Conv2D": "conv2d", "PReLU": "p_re_lu", "BatchNormalization": "batch_normalization",
		"LSTM": "lstm", "GRUCell": "gru_cell", "RMSprop": "rm_sprop", "My>Layer": "my_layer", "a_B": "a_b",
	} {
		if got := snakeCase(class); got != want {
			t.Errorf("%s: %s, want %s", class, got, want)
		}
	}
	if a, b := inOrder(map[string]layer{"layers/z": {0, "z"}, "layers/a": {1, "a"}}, "layers/z/vars/10", "layers/a/vars/0"), inOrder(nil, "a/10", "a/9"); a >= 0 || b <= 0 {
		t.Error("order", a, b)
	}
}
