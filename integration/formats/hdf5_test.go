package formats

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"wfs/formats/hdf5"

	"wfs/integration/harness"
)

// hdf5Files is how many random files the reader is compared with h5py on. HDF5FILES is
// another number: `make fuzz` has 600.
func hdf5Files() int {
	if n, err := strconv.Atoi(os.Getenv("HDF5FILES")); err == nil {
		return n
	}
	return 150
}

// mountEvery is how many of them are read for one that is mounted too.
const mountEvery = 20

// hdf5File is what hdf5_random.py prints of one file.
type hdf5File struct {
	File    string
	Libver  []string
	Objects map[string]hdf5Object
}

type hdf5Object struct {
	Kind   string
	Addr   *uint64
	Dtype  string
	Shape  []uint64
	Bytes  int64
	SHA256 string
	Offset *int64
	Reason string
	Values []string
	Attrs  map[string]struct {
		Strings []string
		Numbers []float64
		Halves  int
		Scalar  bool
		Null    bool
	}
}

// TestHDF5Random compares the HDF5 reader with h5py: every object, value and
// attribute of many random files, whole and in pieces.
func TestHDF5Random(t *testing.T) {
	t.Parallel() // TestHDF5Random and TestKeras take minutes each

	dir := t.TempDir()
	var files []hdf5File
	count := hdf5Files()
	harness.Python(t, harness.Keras, "hdf5_random.py", nil, &files, dir, fmt.Sprint(count), "1")
	if len(files) != count {
		t.Fatalf("%d files, want %d", len(files), count)
	}
	cache := hdf5.NewChunkCache(1 << 20)
	for i := range files {
		t.Run(files[i].File, func(t *testing.T) {
			compareHDF5(t, dir, &files[i], cache)
			if i%mountEvery == 0 {
				compareMount(t, filepath.Join(dir, files[i].File), &files[i])
			}
		})
		if held := cache.Held(); held > 1<<20 {
			t.Fatalf("the cache holds %d bytes", held)
		}
	}
}

func compareHDF5(t *testing.T, dir string, want *hdf5File, cache *hdf5.ChunkCache) {
	b, err := os.ReadFile(filepath.Join(dir, want.File))
	if err != nil {
		t.Fatal(err)
	}
	f, err := hdf5.Open(bytes.NewReader(b), int64(len(b)), hdf5.Options{Cache: cache})
	if err != nil {
		t.Fatalf("libver %v: %v", want.Libver, err)
	}
	root, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := want.Objects[""]; ok {
		compareAttributes(t, "", root, o)
		delete(want.Objects, "")
	}
	random := rand.New(rand.NewPCG(1, uint64(len(b))))
	seen := map[string]bool{}
	err = f.Walk(func(path string, obj hdf5.Object) error {
		o, ok := want.Objects[path]
		if !ok || seen[path] {
			t.Errorf("%s: not in h5py's list", path)
		}
		seen[path] = true
		compareObject(t, b, path, obj, o, random)
		return nil
	})
	if err != nil {
		t.Errorf("libver %v: %v", want.Libver, err)
	}
	for path := range want.Objects {
		if !seen[path] {
			t.Errorf("%s: not found", path)
		}
	}
}

func compareObject(t *testing.T, file []byte, path string, obj hdf5.Object, want hdf5Object, random *rand.Rand) {
	switch obj := obj.(type) {
	case *hdf5.Group:
		if want.Kind != "group" {
			t.Errorf("%s: a group, h5py: %s", path, want.Kind)
		}
	case *hdf5.NamedDatatype:
		if want.Kind != "datatype" {
			t.Errorf("%s: a datatype, h5py: %s", path, want.Kind)
		}
	case *hdf5.Unreachable:
		if want.Kind != "unreachable" || !strings.Contains(obj.Reason, want.Reason) {
			t.Errorf("%s: unreachable (%s), want %s %s", path, obj.Reason, want.Kind, want.Reason)
		}
	case *hdf5.Dataset:
		switch want.Kind {
		case "dataset":
			compareDataset(t, file, path, obj, want, random)
		case "strings":
			got, err := obj.Strings(1 << 20)
			if err != nil || !reflect.DeepEqual(got, want.Values) {
				t.Errorf("%s: strings %q, %v, want %q", path, got, err, want.Values)
			}
		case "refused":
			if reason := obj.Unsupported(); !strings.Contains(reason, want.Reason) {
				t.Errorf("%s: reason %q, want %q", path, reason, want.Reason)
			}
			if _, err := obj.ReadAt(make([]byte, 1), 0); err == nil {
				t.Errorf("%s: read, although it is refused", path)
			}
		default:
			t.Errorf("%s: a dataset, h5py: %s", path, want.Kind)
		}
	}
	compareAttributes(t, path, obj, want)
}

func compareDataset(t *testing.T, file []byte, path string, d *hdf5.Dataset, want hdf5Object, random *rand.Rand) {
	if *want.Addr != d.Address() {
		t.Errorf("%s: address %#x, want %#x", path, d.Address(), *want.Addr)
	}
	if want.Dtype == "null" {
		if !d.Null || d.Size() != 0 {
			t.Errorf("%s: not null", path)
		}
		return
	}
	if got := dtypeName(&d.Dtype); got != want.Dtype || fmt.Sprint(d.Dims) != fmt.Sprint(want.Shape) || d.Size() != want.Bytes {
		t.Errorf("%s: %s %d, %d bytes, want %s %d, %d", path, got, d.Dims, d.Size(), want.Dtype, want.Shape, want.Bytes)
		return
	}
	all := make([]byte, d.Size())
	if n, err := d.ReadAt(all, 0); n != len(all) || err != nil && err != io.EOF {
		t.Errorf("%s: read %d of %d: %v", path, n, len(all), err)
		return
	}
	raw := bytes.Clone(all)
	littleEndian(raw, &d.Dtype)
	if digest(raw) != want.SHA256 {
		t.Errorf("%s: the bytes of %s %d differ", path, want.Dtype, want.Shape)
	}
	off, n, ok := d.Contiguous()
	if want.Offset != nil && (!ok || off != *want.Offset) {
		t.Errorf("%s: offset %d %t, want %d", path, off, ok, *want.Offset)
	}
	if ok && !bytes.Equal(file[off:off+n], all) {
		t.Errorf("%s: the range of the file differs", path)
	}
	if len(all) == 0 {
		return
	}
	for range 8 {
		off := random.IntN(len(all))
		p := make([]byte, random.IntN(len(all)-off+3))
		if random.IntN(2) == 0 {
			p = p[:min(len(p), random.IntN(100))]
		}
		n, err := d.ReadAt(p, int64(off))
		wantErr := error(nil)
		if off+len(p) > len(all) {
			wantErr = io.EOF
		}
		if n != min(len(p), len(all)-off) || err != wantErr || !bytes.Equal(p[:n], all[off:off+n]) {
			t.Errorf("%s: read of %d at %d gives %d, %v, other bytes", path, len(p), off, n, err)
			return
		}
	}
}

func dtypeName(d *hdf5.Datatype) string {
	switch d.Kind {
	case hdf5.KindInt:
		return fmt.Sprintf("i%d", d.Size)
	case hdf5.KindUint:
		return fmt.Sprintf("u%d", d.Size)
	case hdf5.KindFloat:
		return fmt.Sprintf("f%d", d.Size)
	case hdf5.KindComplex:
		return fmt.Sprintf("c%d", d.Size)
	case hdf5.KindString:
		return fmt.Sprintf("S%d", d.Size)
	case hdf5.KindOpaque:
		return fmt.Sprintf("V%d", d.Size)
	case hdf5.KindBool:
		return "bool"
	case hdf5.KindBFloat16:
		return "bf16"
	case hdf5.KindFloat8E4M3:
		return "f8e4"
	case hdf5.KindFloat8E5M2:
		return "f8e5"
	}
	return d.Class.String()
}

func littleEndian(b []byte, d *hdf5.Datatype) {
	size := int(d.Size)
	if d.Kind == hdf5.KindComplex {
		size /= 2
	}
	if d.Order != hdf5.BigEndian || d.Kind == hdf5.KindOpaque || d.Kind == hdf5.KindString {
		return
	}
	for i := 0; i < len(b); i += size {
		for j := range size / 2 {
			b[i+j], b[i+size-1-j] = b[i+size-1-j], b[i+j]
		}
	}
}

func compareAttributes(t *testing.T, path string, obj hdf5.Object, want hdf5Object) {
	if _, ok := obj.(*hdf5.Unreachable); ok || len(want.Attrs) == 0 {
		return
	}
	attrs, err := obj.Attrs()
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	if len(attrs) != len(want.Attrs) {
		t.Errorf("%s: %d attributes, want %d", path, len(attrs), len(want.Attrs))
	}
	for i := range attrs {
		a := &attrs[i]
		w, ok := want.Attrs[a.Name]
		v, err := a.Value()
		if !ok || err != nil {
			t.Errorf("%s: attribute %q: %t %v", path, a.Name, ok, err)
			continue
		}
		var numbers []float64
		for j := range w.Halves {
			numbers = append(numbers, float64(j)*0.5)
		}
		numbers = append(numbers, w.Numbers...)
		switch {
		case w.Null:
			ok = a.Null && v == nil
		case w.Strings != nil:
			got, err := a.Strings()
			ok = err == nil && reflect.DeepEqual(got, w.Strings)
		default:
			ok = reflect.DeepEqual(toNumbers(v), numbers) && w.Scalar == (a.Dims == nil)
		}
		if !ok {
			t.Errorf("%s: attribute %q is %.200v, want %.200v", path, a.Name, v, w)
		}
	}
}

func toNumbers(v any) []float64 {
	var out []float64
	value := reflect.ValueOf(v)
	if value.Kind() != reflect.Slice {
		value = reflect.Append(reflect.MakeSlice(reflect.SliceOf(value.Type()), 0, 1), value)
	}
	for i := range value.Len() {
		switch v := value.Index(i); v.Kind() {
		case reflect.Int64:
			out = append(out, float64(v.Int()))
		case reflect.Uint64:
			out = append(out, float64(v.Uint()))
		case reflect.Float64:
			out = append(out, v.Float())
		case reflect.Complex128:
			out = append(out, real(v.Complex()))
		case reflect.Bool:
			out = append(out, map[bool]float64{true: 1}[v.Bool()])
		}
	}
	return out
}
