package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/source"
)

func fixture(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(b []byte) (*checkpoint.Checkpoint, error) {
	return Open(source.FromReader("file", bytes.NewReader(b), int64(len(b))))
}

func keys(c *checkpoint.Checkpoint) (all []string) {
	for _, v := range c.View() {
		all = append(all, v.Key)
	}
	return all
}

// TestOpen reads one model in both of Keras 3's forms. The layer "second" is the first.
func TestOpen(t *testing.T) {
	legacy, err := open(fixture(t, "testdata/legacy.h5"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"second/sequential/second/kernel", "second/sequential/second/bias", "first/sequential/first/kernel", "first/sequential/first/bias"}
	if got := keys(legacy); !reflect.DeepEqual(got, want) || legacy.Root != "model_weights" {
		t.Errorf("view %q at %q, want %q", got, legacy.Root, want)
	}
	objects := legacy.Objects.(map[string]any)
	for _, name := range []string{"model_config", "training_config", "keras_version", "backend", "attributes"} {
		if objects[name] == nil {
			t.Errorf("objects have no %s", name)
		}
	}
	whole, err := open(fixture(t, "testdata/model.keras"))
	if err != nil {
		t.Fatal(err)
	}
	want = []string{"layers/dense/vars/0", "layers/dense/vars/1", "layers/dense_1/vars/0", "layers/dense_1/vars/1"}
	if got := keys(whole); !reflect.DeepEqual(got, want) {
		t.Errorf("view %q, want %q", got, want)
	}
	if len(whole.Files) != 3 || len(whole.Tensors) <= len(want) {
		t.Errorf("%d files and %d tensors: the optimizer is missing", len(whole.Files), len(whole.Tensors))
	}
	for _, c := range []*checkpoint.Checkpoint{legacy, whole} {
		if r, err := c.Pickles(); err != nil || r.Dangerous() == "" {
			t.Errorf("%s: no word of the Lambda layer: %v", c.Format, err)
		}
	}
}

// TestBroken damages the header of one dataset: the others are there, and the user is
// told.
func TestBroken(t *testing.T) {
	b := fixture(t, "../hdf5/testdata/latest.h5")
	whole, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	// The header of the dataset "late" is found by its fill value, 5 in four bytes.
	at := bytes.Index(b, []byte("\x04\x00\x00\x00\x00\x00\x00\x05"))
	if at < 0 {
		t.Fatal("no fill value")
	}
	b[at+7] ^= 1
	c, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	reason := ""
	for _, o := range c.Omitted {
		if o.Key == "late" {
			reason = o.Reason
		}
	}
	if !strings.Contains(reason, "checksum") || !slices.ContainsFunc(c.Notes, func(n string) bool { return strings.Contains(n, `"late"`) }) {
		t.Errorf("reason %q, notes %q", reason, c.Notes)
	}
	if len(c.Tensors) != len(whole.Tensors)-1 {
		t.Errorf("%d tensors, %d before", len(c.Tensors), len(whole.Tensors))
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		text    string
		verdict pickle.Verdict
		want    string
	}{
		{`{"class_name": "Dense", "module": "keras.layers", "config": {"name": "Lambda"}}`, pickle.Allowed, ""},
		{`[{"layers": [{"class_name": "Lambda", "config": {"name": "x"}}]}]`, pickle.Dangerous, `Lambda layer "x"`},
		{`{"class_name": "L\u0061mbda"}`, pickle.Dangerous, "Lambda"},
		{`{"loss": {"class_name": "__lambda__", "config": {}}}`, pickle.Dangerous, "__lambda__"},
		{`{"class_name": "system", "module": "os"}`, pickle.Unknown, "os.system"},
		{`{"class_name": "X", "module": "kerasish.layers"}`, pickle.Unknown, "kerasish"},
		{`{"class_name": "Lambda", "rate": NaN}`, pickle.Unknown, "not checked"},
		{"\xff\xfe{\x00}\x00", pickle.Unknown, "not checked"},
		{strings.Repeat("[", 1<<20), pickle.Unknown, "not checked"},
	} {
		r := report("file", []config{{where: "config.json", text: c.text}})
		said := strings.Join(r.Container, "\n")
		if r.Verdict != c.verdict || !strings.Contains(said, c.want) || c.want == "" && said != "" {
			t.Errorf("%.80s: %v %q, want %v %q", c.text, r.Verdict, said, c.verdict, c.want)
		}
	}
	if r := report("file", []config{{where: "model_config", fault: "it is no text"}}); r.Verdict != pickle.Unknown {
		t.Errorf("a configuration that is no text is %v", r.Verdict)
	}
	many := `[` + strings.Repeat(`{"class_name":"Lambda"},`, 5000) + `{"class_name":"Lambda","config":{"name":"other"}}]`
	if r := report("file", []config{{where: "config.json", text: many}}); len(r.Container) != 2 {
		t.Errorf("%d lines on two layers", len(r.Container))
	}
}

func TestNaturally(t *testing.T) {
	want := []string{"a/2", "a/10", "a/10/x", "a/1a", "a/b", "a/b10", "a/b2", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, naturally)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShardNames(t *testing.T) {
	for text, want := range map[string]string{
		`{"weight_map": {"/a": ["2.h5", "1.h5"], "/b": "2.h5"}}`: "1.h5 2.h5",
		`{"weight_map": {}}`:                      "it names no shards",
		`{"weight_map": {"/a": "../x.h5"}}`:       "no file of its directory",
		`{"weight_map": {"/a": ["/etc/passwd"]}}`: "no file of its directory",
		`{"weight_map": {"/a": [".."]}}`:          "no file of its directory",
		`{"weight_map": {"/a": [7]}}`:             "no file of its directory",
		`{"weight_map": [`:                        "no JSON",
	} {
		names, err := shardNames(source.FromReader("x.weights.json", strings.NewReader(text), int64(len(text))))
		if got := strings.Join(names, " "); got != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %q, %v, want %s", text, got, err, want)
		}
	}
}

// TestMembers refuses .keras files that readers can disagree about.
func TestMembers(t *testing.T) {
	write := func(names ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			w, err := z.CreateHeader(&zip.FileHeader{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			if name == weightsMember {
				w.Write(fixture(t, "../hdf5/testdata/seed-new.h5"))
			} else {
				w.Write([]byte("{}"))
			}
		}
		z.Close()
		return b.Bytes()
	}
	if _, err := open(write("config.json", weightsMember)); err != nil {
		t.Error(err)
	}
	for want, b := range map[string][]byte{
		"occurs twice":              write("config.json", weightsMember, "config.json"),
		"holds no " + weightsMember: write("config.json"),
	} {
		if _, err := open(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// FuzzOpen opens whatever it is given, and reads a little of each tensor.
func FuzzOpen(f *testing.F) {
	for _, pattern := range []string{"testdata/*.h5", "testdata/*.keras", "../hdf5/testdata/seed-*.h5"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			f.Add(fixture(f, name))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := open(b)
		if err != nil {
			return
		}
		for _, v := range c.View() {
			p := make([]byte, min(4096, v.Data.Size()))
			if n, err := v.Data.ReadAt(p, v.Data.Size()-int64(len(p))); n < len(p) && err == nil {
				t.Errorf("%s: %d bytes of %d, and no error", v.Key, n, len(p))
			}
		}
		if _, err := json.Marshal(c.Objects); err != nil {
			t.Error(err)
		}
		if _, err := c.Pickles(); err != nil && !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Error(err)
		}
	})
}
