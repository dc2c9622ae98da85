package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/internal/readertest"
	"wfs/formats/segment"
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

func openBytes(b []byte) (*checkpoint.Checkpoint, error) {
	return Open(source.NewMemory("file", segment.Literal(b), nil), nil, nil)
}

// root is the key below which a file has the weights of its model, "" where that is all.
func root(c *checkpoint.Checkpoint) string {
	if len(c.Candidates) == 1 {
		return c.Candidates[0].Key
	}
	return ""
}

func keys(c *checkpoint.Checkpoint) (all []string) {
	for _, e := range c.Below(root(c)) {
		all = append(all, e.Key)
	}
	return all
}

// TestOpen reads one model in both of Keras 3's forms. The layer "second" is the first.
func TestOpen(t *testing.T) {
	legacy, err := openBytes(fixture(t, "testdata/legacy.h5"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"second/sequential/second/kernel", "second/sequential/second/bias", "first/sequential/first/kernel", "first/sequential/first/bias"}
	if got := keys(legacy); !reflect.DeepEqual(got, want) || root(legacy) != "model_weights" {
		t.Errorf("view %q at %q, want %q", got, root(legacy), want)
	}
	objects := legacy.Objects.(map[string]any)
	for _, name := range []string{"model_config", "training_config", "keras_version", "backend", "attributes"} {
		if objects[name] == nil {
			t.Errorf("objects have no %s", name)
		}
	}
	whole, err := openBytes(fixture(t, "testdata/model.keras"))
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
	found, err := Inspect(segment.Literal(fixture(t, "testdata/legacy.h5")), func(string, segment.Data) {})
	if err != nil || !slices.ContainsFunc(found.Findings, func(f Finding) bool { return f.RunsCode }) {
		t.Errorf("no word of the Lambda layer: %v", err)
	}
}

// TestBroken damages the header of one dataset: the others are there, and the user is
// told.
func TestBroken(t *testing.T) {
	b := fixture(t, "../hdf5/testdata/latest.h5")
	whole, err := openBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	// The header of the dataset "late" is found by its fill value, 5 in four bytes.
	at := bytes.Index(b, []byte("\x04\x00\x00\x00\x00\x00\x00\x05"))
	if at < 0 {
		t.Fatal("no fill value")
	}
	b[at+7] ^= 1
	c, err := openBytes(b)
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
		text string
		runs bool
		want string
	}{
		{`{"class_name": "Dense", "module": "keras.layers", "config": {"name": "Lambda"}}`, false, ""},
		{`[{"layers": [{"class_name": "Lambda", "config": {"name": "x"}}]}]`, true, `Lambda layer "x"`},
		{`{"class_name": "L\u0061mbda"}`, true, "Lambda"},
		{`{"loss": {"class_name": "__lambda__", "config": {}}}`, true, "__lambda__"},
		{`{"class_name": "system", "module": "os"}`, false, "os.system"},
		{`{"class_name": "X", "module": "kerasish.layers"}`, false, "kerasish"},
		{`{"class_name": "Lambda", "rate": NaN}`, false, "not checked"},
		{"\xff\xfe{\x00}\x00", false, "not checked"},
		{strings.Repeat("[", 1<<20), false, "not checked"},
	} {
		found := judge([]config{{where: "config.json", text: c.text}})
		said, runs := "", false
		for _, f := range found {
			said, runs = said+f.Text+"\n", runs || f.RunsCode
		}
		if runs != c.runs || !strings.Contains(said, c.want) || c.want == "" && said != "" {
			t.Errorf("%.80s: runs code: %v %q, want %v %q", c.text, runs, said, c.runs, c.want)
		}
	}
	if found := judge([]config{{where: "model_config", fault: "it is not text"}}); len(found) != 1 || found[0].RunsCode {
		t.Errorf("a configuration that is not text: %v", found)
	}
	many := `[` + strings.Repeat(`{"class_name":"Lambda"},`, 5000) + `{"class_name":"Lambda","config":{"name":"other"}}]`
	if found := judge([]config{{where: "config.json", text: many}}); len(found) != 2 {
		t.Errorf("%d lines on two layers", len(found))
	}
}

func TestReader(t *testing.T) {
	files := map[string][]byte{"whole": fixture(t, "testdata/model.keras"), "weights": fixture(t, "testdata/legacy.h5")}
	for _, name := range []string{"latest.h5", "earliest.h5"} {
		files[name] = fixture(t, "../hdf5/testdata/"+name)
	}
	readertest.Run(t, Format(nil, nil), files)
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
	if _, err := openBytes(write("config.json", weightsMember)); err != nil {
		t.Error(err)
	}
	for want, b := range map[string][]byte{
		"occurs twice":              write("config.json", weightsMember, "config.json"),
		"holds no " + weightsMember: write("config.json"),
	} {
		if _, err := openBytes(b); err == nil || !strings.Contains(err.Error(), want) {
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
		c, err := openBytes(b)
		if err != nil {
			return
		}
		for _, v := range c.Below(root(c)) {
			p := make([]byte, min(4096, v.Data.Size()))
			if n, err := v.Data.ReadAt(p, v.Data.Size()-int64(len(p))); n < len(p) && err == nil {
				t.Errorf("%s: %d bytes of %d, and no error", v.Key, n, len(p))
			}
		}
		if _, err := json.Marshal(c.Objects); err != nil {
			t.Error(err)
		}
		if DetectHDF5(b, segment.Literal(b)) == checkpoint.No {
			return
		}
		_, err = Inspect(segment.Literal(b), func(where string, data segment.Data) {
			_ = segment.Head(data, 16)
		})
		if err != nil {
			t.Error(err)
		}
	})
}
