package hdf5

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// fixtures are real files that testdata/make.py wrote.
var fixtures = []string{"earliest.h5", "v110.h5", "latest.h5", "special.h5"}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// expectation is what h5py reads from a dataset.
type expectation struct {
	Shape   []uint64
	SHA256  string
	Strings []string
	Refused string
}

// TestFixtures compares every dataset with what h5py reads from it.
func TestFixtures(t *testing.T) {
	b, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]map[string]expectation
	if err := json.Unmarshal(b, &expected); err != nil {
		t.Fatal(err)
	}
	for _, name := range fixtures {
		f := open(t, fixture(t, name))
		for path, want := range expected[name] {
			if err := matches(f, path, want); err != nil {
				t.Errorf("%s: %s: %v", name, path, err)
			}
		}
		if len(expected[name]) < 8 {
			t.Errorf("%s: only %d expectations", name, len(expected[name]))
		}
	}
}

func matches(f *File, path string, want expectation) error {
	obj, err := f.Open(path)
	if err != nil {
		return err
	}
	d, ok := obj.(*Dataset)
	if !ok {
		return fmt.Errorf("a %T", obj)
	}
	if d.Unsupported() != want.Refused && want.Strings == nil {
		return fmt.Errorf("reason %q, want %q", d.Unsupported(), want.Refused)
	}
	if want.Refused != "" {
		return nil
	}
	if want.Strings != nil {
		got, err := d.Strings(1 << 20)
		if err != nil || !reflect.DeepEqual(got, want.Strings) {
			return fmt.Errorf("%q, %v, want %q", got, err, want.Strings)
		}
		return nil
	}
	if fmt.Sprint(d.Dims) != fmt.Sprint(want.Shape) {
		return fmt.Errorf("shape %d, want %d", d.Dims, want.Shape)
	}
	p := make([]byte, d.Size())
	if n, err := d.ReadAt(p, 0); n != len(p) || err != nil && err != io.EOF {
		return fmt.Errorf("read %d: %v", n, err)
	}
	if sum := sha256.Sum256(p); hex.EncodeToString(sum[:]) != want.SHA256 {
		return fmt.Errorf("other bytes")
	}
	return nil
}

// TestIndexes makes sure that the fixtures hold every layout and every kind of
// chunk index: newer libraries may choose others when they are made anew.
func TestIndexes(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range fixtures {
		err := open(t, fixture(t, name)).Walk(func(_ string, obj Object) error {
			if d, ok := obj.(*Dataset); ok {
				key := fmt.Sprintf("layout %d version %d", d.layout.class, d.layout.version)
				if d.layout.class == layoutChunked {
					key += fmt.Sprintf(" index %d filtered %t", d.layout.index, len(d.filters) > 0)
				}
				seen[key] = true
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := []string{"layout 0 version 3", "layout 1 version 3", "layout 3 version 4"}
	for _, filtered := range []bool{false, true} {
		want = append(want, fmt.Sprintf("layout 2 version 3 index %d filtered %t", indexTree1, filtered))
		version := 4
		if filtered {
			want = append(want, fmt.Sprintf("layout 2 version 4 index %d filtered true", indexSingle))
			version = 5
		}
		for _, index := range []int{indexFixedArray, indexExtensibleArray, indexTree2} {
			want = append(want, fmt.Sprintf("layout 2 version %d index %d filtered %t", version, index, filtered))
		}
	}
	want = append(want, fmt.Sprintf("layout 2 version 4 index %d filtered false", indexImplicit))
	for _, key := range want {
		if !seen[key] {
			t.Errorf("no fixture has %s, only %v", key, seen)
		}
	}
}

// TestWalk checks what only a walk shows: links of all kinds, identity, cycles.
func TestWalk(t *testing.T) {
	for _, name := range fixtures[:3] {
		objects := map[string]Object{}
		f := open(t, fixture(t, name))
		err := f.Walk(func(path string, obj Object) error {
			if objects[path] != nil {
				t.Errorf("%s: %s twice", name, path)
			}
			objects[path] = obj
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for path, reason := range map[string]string{
			"dangling": "soft link to /nowhere: no such object",
			"foreign":  "external link to /x in another file: other.h5",
			"cycle":    "it leads back to /, a group that it is in",
			"loop":     "more than 16 soft links on the way to one object",
		} {
			if u, ok := objects[path].(*Unreachable); !ok || u.Reason != reason {
				t.Errorf("%s: %s is %#v", name, path, objects[path])
			}
		}
		if objects["hard"].Address() != objects["chunked/all"].Address() || objects["link"].Address() != objects["chunked/gzip"].Address() {
			t.Errorf("%s: links lost their object's identity", name)
		}
		for i := range 24 {
			if o := objects[fmt.Sprintf("big/link %02d", i)]; o == nil || o.Address() != objects["compact"].Address() {
				t.Errorf("%s: link %d of a big group is %v", name, i, o)
			}
		}
		for path := range objects {
			if strings.HasPrefix(path, "cycle/") {
				t.Errorf("%s: walked in a circle to %s", name, path)
			}
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, name := range fixtures[:3] {
		f := open(t, fixture(t, name))
		root, err := f.Root()
		if err != nil {
			t.Fatal(err)
		}
		checkAttributes(t, name, root, map[string]any{
			"names": []string{"one", "two"}, "fixed": []string{"one", "three"},
			"pi": []float64{3.25, -1}, "yes": true, "nothing": nil,
		})
		big, err := f.Open("big")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{}
		for i := range 24 {
			want[fmt.Sprintf("attribute %02d", i)] = int64(i)
		}
		checkAttributes(t, name, big, want)
	}
	root, err := open(t, fixture(t, "special.h5")).Root()
	if err != nil {
		t.Fatal(err)
	}
	var huge []float64
	for i := range 8192 {
		huge = append(huge, float64(i)*0.5)
	}
	checkAttributes(t, "special.h5", root, map[string]any{"huge": huge})
}

func checkAttributes(t *testing.T, name string, obj Object, want map[string]any) {
	t.Helper()
	attrs, err := obj.Attrs()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got := map[string]any{}
	for i := range attrs {
		if got[attrs[i].Name], err = attrs[i].Value(); err != nil {
			t.Errorf("%s: %s: %v", name, attrs[i].Name, err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: attributes %.300v, want %.300v", name, got, want)
	}
}
