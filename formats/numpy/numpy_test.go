package numpy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/internal/readertest"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// TestReader puts files that NumPy wrote through the suite (testdata/make.py).
func TestReader(t *testing.T) {
	readertest.Run(t, Format(nil), readertest.Files(t, "testdata/*.npy", 8))
}

func TestArchive(t *testing.T) {
	readertest.Run(t, ArchiveFormat(nil, nil), readertest.Files(t, "testdata/*.npz", 2))
}

func memory(b []byte) source.Source { return source.NewMemory("x.npy", segment.Literal(b), nil) }

func open(b []byte) (*checkpoint.Checkpoint, error) { return Format(nil).Open(memory(b)) }

// npy is a file with a header of version 1 and the data after it.
func npy(header string, data ...byte) []byte {
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), data...)
}

// bytesOf is what a tensor holds.
func bytesOf(t *testing.T, one *checkpoint.Tensor) []byte {
	t.Helper()
	b := make([]byte, one.Data.Size())
	if len(b) > 0 {
		if err := segment.ReadFull(one.Data, b, 0); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestDtypes reads arrays of three elements of each type.
func TestDtypes(t *testing.T) {
	data := make([]byte, 3*40)
	for i := range data {
		data[i] = byte(i + 1)
	}
	for _, c := range []struct{ descr, want, omitted string }{
		{"'<f4'", "F32 [3]", ""}, {"'f4'", "F32 [3]", ""}, {"'=f4'", "F32 [3]", ""}, {"'>f4'", "F32 [3]", ""},
		{"'|b1'", "BOOL [3]", ""}, {"'|i1'", "I8 [3]", ""}, {"'<u2'", "U16 [3]", ""}, {"'<f2'", "F16 [3]", ""},
		{"'>c16'", "C128 [3]", ""}, {"'<c8'", "C64 [3]", ""}, {"'<i8'", "I64 [3]", ""}, {"'<u8'", "U64 [3]", ""},
		{"'<M8[ns]'", "I64 [3]", ""}, {"'>m8[25us]'", "I64 [3]", ""},
		{"'|V2'", "BF16 [3]", ""}, {"'<V2'", "BF16 [3]", ""}, {"'|V1'", "U8 [3]", ""}, {"'|V5'", "U8 [3 5]", ""},
		{"'<f16'", "U8 [3 16]", ""}, {"'<c32'", "U8 [3 32]", ""},
		{"'bfloat16'", "BF16 [3]", ""}, {"'float8_e4m3fn'", "F8_E4M3 [3]", ""}, {"'float32'", "F32 [3]", ""}, {"'<f1'", "F8_E5M2 [3]", ""},
		{"('<f4', (2, 2))", "F32 [3 2 2]", ""}, {"[('', '|V3'), ('x', '<f4'), ('', '|V1')]", "F32 [3]", ""},
		{"[(('title', 'x'), '<i2', 3)]", "I16 [3 3]", ""},
		{"'<U2'", "", "text (<U2)"}, {"'|S3'", "", "text (|S3)"}, {"'|O'", "", "array of objects"}, {"'O8'", "", "array of objects"},
		{"[('x', '<f4'), ('y', '|O')]", "", "array of objects"}, {"'<f3'", "", `its dtype "<f3"`}, {"'|V0'", "", "its elements have no bytes"},
		{"'|q8'", "", `its dtype "|q8"`},
	} {
		got, err := open(npy("{'descr': "+c.descr+", 'fortran_order': False, 'shape': (3,), }\n", data...))
		if err != nil {
			t.Errorf("%s: %v", c.descr, err)
			continue
		}
		text, omitted := "", ""
		for _, one := range got.Tensors {
			text += fmt.Sprint(one.DType, " ", one.Shape)
		}
		for _, o := range got.Omitted {
			omitted += o.Reason
		}
		if text != c.want || !strings.HasPrefix(omitted, c.omitted) || (c.omitted == "") != (omitted == "") {
			t.Errorf("%s: %q, omitted %q; want %q and %q", c.descr, text, omitted, c.want, c.omitted)
		}
		if got.Unpickled != strings.Contains(omitted, "objects") {
			t.Errorf("%s: unpickled %v", c.descr, got.Unpickled)
		}
	}
}

// TestRecords takes fields out of records whose sizes are no multiples of them.
func TestRecords(t *testing.T) {
	var data []byte // three records of 15 bytes: f8, two big-endian u2, 3 bytes
	for i := range 3 {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(i)))
		data = binary.BigEndian.AppendUint16(data, uint16(10*i))
		data = binary.BigEndian.AppendUint16(data, uint16(10*i+1))
		data = append(data, byte(i), byte(i), byte(i))
	}
	c, err := open(npy("{'descr': [('x', '<f8'), ('y', [('z', '>u2', (2,))]), ('y.z', '|V3')], 'fortran_order': False, 'shape': (3,)}", data...))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, one := range c.Tensors {
		got += fmt.Sprintf("%s %s %v %x\n", one.Key, one.DType, one.Shape, bytesOf(t, one))
	}
	want := "x F64 [3] 0000000000000000000000000000f03f0000000000000040\n" +
		"y.z U16 [3 2] 000001000a000b0014001500\ny.z#2 U8 [3 3] 000000010101020202\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestFortran turns arrays round.
func TestFortran(t *testing.T) {
	c, err := open(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}", 0, 3, 1, 4, 2, 5))
	if err != nil || !bytes.Equal(bytesOf(t, c.Tensors[0]), []byte{0, 1, 2, 3, 4, 5}) {
		t.Errorf("%v, %v", c, err)
	}
}

// TestTexts keeps the values of short texts.
func TestTexts(t *testing.T) {
	files := readertest.Files(t, "testdata/*.np?", 10)
	for name, want := range map[string]string{
		"records.npy": "map[inner.label:{<U3 [5] [a bc def  é]}]",
		"stored.npz":  "map[bytes:{|S2 [2] [ab c]} texts:{<U4 [2] [un deux]} when:{<M8[D] [1] []}]",
	} {
		format := Format(nil)
		if strings.HasSuffix(name, "z") {
			format = ArchiveFormat(nil, nil)
		}
		c, err := format.Open(memory(files[name]))
		if err != nil || fmt.Sprint(c.Objects) != want {
			t.Errorf("%s: %v, %v", name, c.Objects, err)
		}
	}
	big := "{'descr': '>U2', 'fortran_order': False, 'shape': ()}"
	if c, err := open(npy(big, 0, 0, 0, 'a', 0, 0x20, 0, 0)); err != nil || fmt.Sprint(c.Objects) != "map[tensor:{>U2 [] [a\uFFFD]}]" {
		t.Errorf("%v, %v", c, err)
	}
	huge := npy("{'descr': '|S1', 'fortran_order': False, 'shape': (70000,)}", make([]byte, 70000)...)
	if c, err := open(huge); err != nil || fmt.Sprint(c.Objects) != "map[tensor:{|S1 [70000] []}]" {
		t.Errorf("%v, %v", c, err)
	}
}

// TestHostile has headers that other readers run, or allocate by: each is one line, and soon.
func TestHostile(t *testing.T) {
	many := strings.Repeat("(", 100_000)
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", []byte(magic), "cut"},
		{"version 0", []byte(magic + "\x00\x00\x00\x00"), "version 0.0"},
		{"version 4", []byte(magic + "\x04\x00\x00\x00"), "version 4.0"},
		{"a header without end", []byte(magic + "\x02\x00\xff\xff\xff\x7f{}"), "claims 2147483647 bytes, 1048576 are allowed"},
		{"a header that leaves the file", []byte(magic + "\x01\x00\xff\xff{}"), "claims 65535 bytes, 2 are left"},
		{"16 EiB in 100 bytes", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}"), "overflows"},
		{"a product that is 0 in 64 bits", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"), "overflows"},
		{"a product that is 0 for another one", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}"), "overflows"},
		{"7 GB in 144 bytes", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,)}", 1, 2), "takes 8000000000 bytes, 2 are left"},
		{"a negative size", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"), "not a literal"},
		{"a size of 100 digits", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (" + strings.Repeat("9", 100) + ",)}"), "a number that no array has"},
		{"an expression", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2*3,)}"), "not a literal"},
		{"a call", npy("{'descr': __import__('os').system('x'), 'fortran_order': False, 'shape': (3,)}"), "not a literal"},
		{"nested deep", append([]byte(magic+"\x02\x00\xaa\x86\x01\x00{'descr': "), many...), "nested more than 32 deep"},
		{"a list for a shape", npy("{'descr': '<f8', 'fortran_order': False, 'shape': [3]}"), "does not have descr"},
		{"a number for an order", npy("{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}"), "does not have descr"},
		{"a key more", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'x': 1}"), "and nothing else"},
		{"a key twice", npy("{'descr': '<f8', 'descr': '|O', 'fortran_order': False, 'shape': (3,)}"), `"descr" twice`},
		{"65 axes", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (" + strings.Repeat("1,", 65) + ")}"), "its shape is none"},
		{"an element of 4 GB", npy("{'descr': ('|u1', (65536, 65536)), 'fortran_order': False, 'shape': (0,)}"), "more than 1073741824 bytes"},
		{"an element of 2^64", npy("{'descr': ('<f8', (2305843009213693952,)), 'fortran_order': False, 'shape': (0,)}"), "more than 1073741824 bytes"},
		{"an element of an element of 2^64", npy("{'descr': (('|u1', (32768, 32768)), (4294967296,)), 'fortran_order': False, 'shape': (0,)}"), "more than 1073741824 bytes"},
		{"a type of 4 GB", npy("{'descr': '|S4294967296', 'fortran_order': False, 'shape': (0,)}"), "that NumPy has not"},
		{"two fields of one name", npy("{'descr': [('x', '<f4'), ('x', '<f4')], 'fortran_order': False, 'shape': (0,)}"), `two fields "x"`},
		{"a field of nothing", npy("{'descr': [('x',)], 'fortran_order': False, 'shape': (0,)}"), "describes no dtype"},
		{"a string without end", npy(`{'descr': '<f8`), "not a literal"},
		{"an escape without end", npy(`{'descr': '\x4`), "not a literal"},
	} {
		start := time.Now()
		_, err := open(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s took %v", c.name, took)
		}
	}
	c, err := open(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", 1, 2, 3))
	if err != nil || len(c.Notes) != 1 || c.Notes[0] != "what follows its array, 1 byte, is not shown" {
		t.Errorf("%+v, %v", c, err)
	}
}

// archive is a zip file of members, in pairs of name and bytes.
func archive(t testing.TB, method uint16, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		m, err := w.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
		if err == nil {
			_, err = m.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestMembers has zip files that are none of NumPy's own.
func TestMembers(t *testing.T) {
	one := string(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", 1, 2))
	format := ArchiveFormat(nil, nil)
	for _, c := range []struct {
		members []string
		match   checkpoint.Match
		want    string // keys, or what the error says
	}{
		{[]string{"a.npy", one, "b", one, "d/", "", "note.txt", "hello"}, checkpoint.Certain, "a b omitted note.txt"},
		{[]string{"b", one}, checkpoint.Certain, "b"},
		{[]string{"note.txt", "hello", "a.npy", one, "c.npy", one}, checkpoint.Certain, "a c omitted note.txt"},
		{[]string{"note.txt", "hello", "a.npy", one}, checkpoint.No, "a omitted note.txt"},
		{[]string{"m/data.pkl", "x", "a.npy", one, "b.npy", one}, checkpoint.No, "a b omitted m/data.pkl"},
		{[]string{"x", "", "m/data.pkl", "x", "a.npy", one, "b.npy", one, "c.npy", one}, checkpoint.No, "a b c omitted x m/data.pkl"},
		{[]string{"a.npy", one, "a", one, ".npy", one}, checkpoint.Certain, "a.npy a .npy"},
		{[]string{"a.npy", one, "a.npy", one}, checkpoint.Certain, `"a.npy" occurs twice`},
		{[]string{"a.npy", "text", "b.npy", "more"}, checkpoint.Certain, "none of its members is an array"},
		{[]string{"a.npy", one[:20]}, checkpoint.Certain, `member "a.npy": its header claims`},
		{[]string{"a.npy", one[:len(one)-1]}, checkpoint.Certain, `member "a.npy": its array of [2] takes 2 bytes, 1 are left`},
		{[]string{"p/a.npy", one, "p/b.npy", one}, checkpoint.Certain, "p/a p/b"},
	} {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			b := archive(t, method, c.members...)
			if match := format.Detect(b[:min(512, len(b))], segment.Literal(b)); match != c.match && !(method == zip.Deflate && c.members[0] == "b") {
				t.Errorf("%q: %v", c.members, match)
			}
			got, err := format.Open(memory(b))
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%q: %v, want %q", c.members, err, c.want)
				}
				continue
			}
			var keys []string
			for _, one := range got.Tensors {
				keys = append(keys, one.Key)
				if !bytes.Equal(bytesOf(t, one), []byte{1, 2}) {
					t.Errorf("%q has other bytes", one.Key)
				}
			}
			for i, o := range got.Omitted {
				if i == 0 {
					keys = append(keys, "omitted")
				}
				keys = append(keys, o.Key)
			}
			if strings.Join(keys, " ") != c.want || (got.Separator == "/") != strings.HasPrefix(c.want, "p/") {
				t.Errorf("%q: %q, separator %s", c.members, keys, got.Separator)
			}
		}
	}
}

// TestDirectory opens files of a directory as one checkpoint, which closes them.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", 1, 2))
	write("sub/b.npy", npy("{'descr': [('x', '|u1'), ('y', '|u1')], 'fortran_order': False, 'shape': (1,)}", 3, 4))
	d, err := source.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, err := Directory(nil)(d, []string{"a.npy", "sub/b.npy"})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, one := range c.Tensors {
		keys = append(keys, one.Key)
	}
	if !slices.Equal(keys, []string{"a", "sub/b.x", "sub/b.y"}) || c.Separator != "/" || c.Source.Path() != dir || c.Source.Verify() != nil {
		t.Errorf("%q, %+v", keys, c)
	}
	if err := c.Source.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Tensors[0].Data.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a source is open after its checkpoint was closed")
	}
	write("bad.npy", []byte(magic))
	if _, err := Directory(nil)(d, []string{"a.npy", "bad.npy"}); err == nil || !strings.Contains(err.Error(), "bad.npy: its header is cut") {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, b := range readertest.Files(f, "testdata/*.np?", 10) {
		f.Add(b)
	}
	one := string(npy("{'descr': [('x', '>f4', (2, 3)), ('', '|V1'), ('y', [('z', '<U2')])], 'fortran_order': True, 'shape': (2L, 1)}", make([]byte, 66)...))
	f.Add([]byte(one))
	f.Add(archive(f, zip.Deflate, "a.npy", one, "b", "hello"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, format := range []checkpoint.Format{Format(nil), ArchiveFormat(nil, nil)} {
			format.Detect(b[:min(512, len(b))], segment.Literal(b))
			c, err := format.Open(memory(b))
			if err != nil {
				continue
			}
			for _, one := range c.Tensors {
				size, err := checkpoint.ByteSize(one.DType, one.Shape)
				if err != nil || size != one.Data.Size() {
					t.Fatalf("%q: %v, %d bytes of %d", one.Key, err, one.Data.Size(), size)
				}
				if n, _ := one.Data.ReadAt(make([]byte, min(size, 1<<16)), 0); format.Name == "npy" && int64(n) != min(size, 1<<16) {
					t.Fatalf("%q: %d of %d bytes", one.Key, n, size)
				}
			}
		}
	})
}
