package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/internal/readertest"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// file is a header and n bytes of data.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), bytes.Repeat([]byte{7}, n)...)
}

func open(b []byte) (*checkpoint.Checkpoint, error) {
	return Open(source.NewMemory("test", segment.Literal(b), nil))
}

func TestReader(t *testing.T) {
	readertest.Run(t, Format(), map[string][]byte{
		"two":    file(`{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2,2],"data_offsets":[8,12]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 12),
		"packed": file(`{"x":{"dtype":"F4","shape":[3000],"data_offsets":[0,1500]},"none":{"dtype":"F64","shape":[0,9],"data_offsets":[1500,1500]}}`, 1500),
	})
}

// The cases and their outcome are those of the reference reader (FORMATS 1.9), but
// for duplicate names, which the format forbids.
func TestHeaders(t *testing.T) {
	const one = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	const two = `"b":{"dtype":"U8","shape":[2,2],"data_offsets":[8,12]}`
	deep := strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000)
	for _, c := range []struct {
		name, header string
		data         int
		wrong        string // part of the error; "" for none
	}{
		{"one", `{` + one + `}`, 8, ""},
		{"two", `{` + two + `,` + one + `}`, 12, ""},
		{"none", `{}`, 0, ""},
		{"padded", `{` + one + "}   \n", 8, ""},
		{"leading space", ` {` + one + `}`, 8, ""},
		{"metadata", `{"__metadata__":{"format":"pt","x":"y"},` + one + `}`, 8, ""},
		{"null metadata", `{"__metadata__":null,` + one + `}`, 8, ""},
		{"empty name", `{"":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}`, 1, ""},
		{"unknown field", `{"a":{"dtype":"F32","x":{"y":[1,-2.5e3,null,true,"s"]},"shape":[2],"data_offsets":[0,8]}}`, 8, ""},
		{"empty tensors", `{"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},"b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, 1, ""},
		{"four bits", `{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}`, 2, ""},
		{"escapes", `{"\u00e9\ud83d\ude00\"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, ""},

		{"duplicate name", `{` + one + `,` + one + `}`, 8, "twice"},
		{"duplicate field", `{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8, "two fields"},
		{"duplicate metadata", `{"__metadata__":{},"__metadata__":{}}`, 0, "twice"},
		{"hole", `{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2, "begins at 1"},
		{"hole between", `{` + one + `,"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}}`, 10, "begins at 9"},
		{"overlap", `{` + one + `,"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8, "begins at 4"},
		{"trailing bytes", `{` + one + `}`, 9, "appended"},
		{"truncated", `{` + one + `}`, 7, "truncated"},
		{"wrong size", `{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8, "takes 12"},
		{"reversed", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8, "data_offsets"},
		{"three offsets", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}`, 8, "more than 2"},
		{"overflow", `{"a":{"dtype":"F32","shape":[9223372036854775807,4,0],"data_offsets":[0,0]}}`, 0, "overflow"},
		{"huge", `{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}}`, 0, "too large"},
		{"negative", `{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}`, 8, "whole number"},
		{"fraction", `{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, 8, "a fraction at byte"},
		{"unknown dtype", `{"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}}`, 8, `unknown dtype "f32"`},
		{"half a byte", `{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2, "whole bytes"},
		{"missing field", `{"a":{"dtype":"F32","shape":[2]}}`, 8, "lacks"},
		{"metadata number", `{"__metadata__":{"a":1}}`, 0, `the value of "a" in its __metadata__ is a number`},
		{"metadata object", `{"__metadata__":{"a":{}}}`, 0, `the value of "a" in its __metadata__ is an object`},
		{"metadata array", `{"__metadata__":["a"]}`, 0, "an array at byte 24, where an object belongs"},
		{"dtype number", `{"a":{"dtype":3,"shape":[1],"data_offsets":[0,4]}}`, 4, "a number at byte 22, where a string belongs"},
		{"shape of strings", `{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}`, 4, "a string at byte"},
		{"shape of fractions", `{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4, "a fraction at byte"},
		{"negative shape", `{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4, "a negative number at byte"},
		{"lone surrogate", `{"\ud83d":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, "surrogate"},
		{"low surrogate", `{"\udc00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, "surrogate"},
		{"not UTF-8", "{\"\xff\":{}}", 0, "UTF-8"},
		{"byte order mark", "\ufeff{}", 0, "JSON"},
		{"trailing garbage", `{}x`, 0, "follows"},
		{"trailing NUL", "{}\x00", 0, "follows"},
		{"trailing comma", `{` + one + `,}`, 8, "JSON"},
		{"not closed", `{` + one, 8, "JSON"},
		{"deep", `{"a":{"x":` + deep + `}}`, 0, "deep"},
		{"array", `[]`, 0, "JSON"},
	} {
		got, err := open(file(c.header, c.data))
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.wrong != "" && err == nil:
			t.Errorf("%s: accepted with %d tensors", c.name, len(got.Tensors))
		case c.wrong != "" && !strings.Contains(err.Error(), c.wrong):
			t.Errorf("%s: %q does not say %q", c.name, err, c.wrong)
		}
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": {1, 2, 3},
		"header beyond the file": file(`{}`, 0)[:9],
		"lying length":           append(binary.LittleEndian.AppendUint64(nil, 1<<60), '{', '}'),
		"length above the limit": append(binary.LittleEndian.AppendUint64(nil, maxHeader+1), '{', '}'),
	} {
		if _, err := open(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestLayout reads what NewLayout writes with Open, which checks it, and compares.
func TestLayout(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for trial := range 50 {
		var views []checkpoint.Entry
		want := map[string][]byte{}
		for i := range rng.IntN(40) {
			d := checkpoint.BOOL + checkpoint.DType(rng.IntN(int(checkpoint.U64)))
			shape := []int64{rng.Int64N(4) * 4, 2}
			size, err := checkpoint.ByteSize(d, shape)
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, size)
			for j := range data {
				data[j] = byte(rng.Uint32())
			}
			key := fmt.Sprintf("%c<&>\"\\ %d", rune('a'+rng.IntN(26)), i)
			want[key] = data
			views = append(views, checkpoint.Entry{Key: key, Tensor: &checkpoint.Tensor{Key: key, DType: d, Shape: shape, Data: segment.Literal(data)}})
		}
		l, omitted, err := NewLayout(views, map[string]string{"format": "pt"})
		if err != nil || len(omitted) > 0 {
			t.Fatal(err, omitted)
		}
		d, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		if d.Size() != l.Size() {
			t.Fatalf("trial %d: %d bytes, stat says %d", trial, d.Size(), l.Size())
		}
		b := make([]byte, d.Size())
		if n, err := d.ReadAt(b, 0); n < len(b) {
			t.Fatal(err)
		}
		if header := binary.LittleEndian.Uint64(b); (header+8)%dataAlign != 0 || b[8] != '{' {
			t.Fatalf("header of %d bytes begins with %q", header, b[8])
		}
		c, err := open(b)
		if err != nil {
			t.Fatalf("trial %d: %v", trial, err)
		}
		if c.Metadata["format"] != "pt" || len(c.Tensors) != len(want) {
			t.Fatalf("metadata %v, %d tensors", c.Metadata, len(c.Tensors))
		}
		for i, got := range c.Tensors {
			data := make([]byte, got.Data.Size())
			got.Data.ReadAt(data, 0)
			if !bytes.Equal(data, want[got.Key]) {
				t.Fatalf("%q: wrong bytes", got.Key)
			}
			if at := got.Data.(*segment.Range).Off; at*8%int64(max(8, got.DType.Bits())) != 0 && got.DType.Bits()%8 == 0 {
				t.Fatalf("%s at %d is not aligned", got.DType, at)
			}
			if i > 0 && c.Tensors[i-1].DType < got.DType {
				t.Fatalf("%s before %s", c.Tensors[i-1].DType, got.DType)
			}
		}
	}
}

func TestLayoutOmitsAndRenames(t *testing.T) {
	scalar := func(key string, d checkpoint.DType) checkpoint.Entry {
		return checkpoint.Entry{Key: key, Tensor: &checkpoint.Tensor{Key: key, DType: d, Data: segment.Literal(make([]byte, d.Bits()/8))}}
	}
	l, omitted, err := NewLayout([]checkpoint.Entry{scalar("z", checkpoint.C128), scalar("__metadata__", checkpoint.F32), scalar("\xff", checkpoint.U8)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(omitted) != 1 || omitted[0].Key != "z" || !strings.Contains(omitted[0].Reason, "C128") {
		t.Errorf("omitted: %v", omitted)
	}
	if keys := l.Keys(); len(keys) != 2 || keys[0] != "%5F_metadata__" || keys[1] != "%FF" {
		t.Errorf("keys: %q", keys)
	}
}

// TestLayoutUnique has keys whose coded form is the key of another tensor.
func TestLayoutUnique(t *testing.T) {
	var views []checkpoint.Entry
	for _, key := range []string{"\xff", "%FF", "%FF%", "__metadata__", "%5F_metadata__", "\xfe"} {
		views = append(views, checkpoint.Entry{Key: key, Tensor: &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Data: segment.Literal("x")}})
	}
	l, _, err := NewLayout(views, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"%5F_metadata__", "%5F_metadata__%", "%FE", "%FF", "%FF%", "%FF%%"}
	if keys := l.Keys(); !slices.Equal(slices.Sorted(slices.Values(keys)), want) {
		t.Errorf("keys: %q, want %q", keys, want)
	}
	renamed := l.Renamed()
	if len(renamed) != 3 || renamed[views[0].Tensor] != "%FF%%" || renamed[views[5].Tensor] != "%FE" {
		t.Errorf("renamed: %v", renamed)
	}
}

// TestLayoutMany lays out 300 000 tensors, and more than a header can name.
func TestLayoutMany(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	views := make([]checkpoint.Entry, 300_000)
	for i := range views {
		key := fmt.Sprintf("model.layers.%06d.mlp.experts.gate_proj.weight_scale_inverse", i)
		views[i] = checkpoint.Entry{Key: key, Tensor: &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Data: segment.Literal("x")}}
	}
	l, _, err := NewLayout(views, nil)
	if err != nil || l.DataSize() != 300_000 || !strings.Contains(l.Note(), "Hub") {
		t.Errorf("%v, %d bytes, note %q", err, l.DataSize(), l.Note())
	}
	long := strings.Repeat("k", 400)
	for i := range views {
		views[i].Key = long + views[i].Key
	}
	if _, _, err := NewLayout(views, nil); err == nil || !strings.Contains(err.Error(), "the format allows") {
		t.Errorf("a header of 150 MB: %v", err)
	}
}

// TestMaxTensors has a header that names more tensors than a mount can hold.
func TestMaxTensors(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	var b strings.Builder
	b.WriteString(`{"__metadata__":{}`)
	for i := range maxTensors + 1 {
		fmt.Fprintf(&b, `,"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	if _, err := open(file(b.String()+"}", 0)); err == nil || !strings.Contains(err.Error(), "more than 500000 tensors") {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{"a":{"dtype":"F4","shape":[0,4],"data_offsets":[0,0],"x":[{"y":null}]}}`, 0))
	f.Add(file(`{"\u00e9\ud83d\ude00":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}`, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := open(b)
		if err != nil {
			return
		}
		total := int64(0)
		for _, tensor := range c.Tensors {
			size, err := checkpoint.ByteSize(tensor.DType, tensor.Shape)
			if err != nil || size != tensor.Data.Size() {
				t.Fatalf("%q: %v, %d bytes of %d", tensor.Key, err, tensor.Data.Size(), size)
			}
			if n, err := tensor.Data.ReadAt(make([]byte, size), 0); int64(n) != size {
				t.Fatal(err)
			}
			total += size
		}
		if header := int64(binary.LittleEndian.Uint64(b)); 8+header+total != int64(len(b)) {
			t.Fatalf("the file has %d bytes, %d are covered", len(b), 8+header+total)
		}
	})
}
