package gguf

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/internal/readertest"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// TestReader puts files of gguf's writer through the suite (testdata/make.py), and one that
// says that it is of version 2, whose layout is the same.
func TestReader(t *testing.T) {
	files := readertest.Files(t, "testdata/*.gguf", 7)
	second := bytes.Clone(files["lora.gguf"])
	second[4] = 2
	files["version 2"] = second
	readertest.Run(t, Format(), files)
}

func open(b []byte) (*checkpoint.Checkpoint, error) {
	return Open(source.NewMemory("x.gguf", segment.Literal(b), nil))
}

func testdata(t *testing.T, name string) *checkpoint.Checkpoint {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestKinds reads what files say of themselves.
func TestKinds(t *testing.T) {
	for name, want := range map[string]string{
		"everything.gguf": "GGUF v3 []", "big.gguf": "GGUF v3, big endian []",
		"lora.gguf":                 "GGUF v3, LoRA adapter [it is a LoRA adapter, and no model by itself]",
		"split-00002-of-00003.gguf": "GGUF v3 [it is file 2 of the 3 of a model, and has a part of its tensors]",
	} {
		c := testdata(t, name)
		if got := fmt.Sprint(c.Format, " ", c.Notes); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for want, pairs := range map[string][]byte{
		"multimodal projector": text("general.architecture", "clip"), "importance matrix": text("general.type", "imatrix"),
		"control vector": text("general.architecture", "controlvector"), "vocabulary": text("tokenizer.ggml.model", "gpt2"),
		"adapter": text("general.type", "adapter"),
	} {
		c, err := open(header(0, 1, pairs))
		if err != nil || c.Format != "GGUF v3, "+want || len(c.Notes) != 1 {
			t.Errorf("%s: %+v, %v", want, c, err)
		}
	}
	if c := testdata(t, "big.gguf"); len(c.Omitted) != 2 || len(c.Tensors) != 9 {
		t.Errorf("of a big-endian file %d tensors are read, and %v omitted", len(c.Tensors), c.Omitted)
	}
}

// TestObjects writes the key-value pairs as JSON.
func TestObjects(t *testing.T) {
	c := testdata(t, "everything.gguf")
	b, err := json.Marshal(c.Objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"test.f32":1e-05`, `"test.u64":9223372036854775808`, `"test.i8":-100`, `"test.nan":"NaN"`, `"test.bool":true`,
		`"tokenizer.ggml.tokens":{"type":"string","count":100,"head":["token0","token1","token2","token3","token4","token5","token6","token7"]}`,
		`"test.flags":{"type":"bool","count":2,"head":[true,false]}`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	if len(c.Files) != 1 || c.Files[0].Path != "chat_template.jinja" || string(segment.Head(c.Files[0], 99)) != "{% for m in messages %}{{ m }}\n{% endfor %}" {
		t.Errorf("files %v", c.Files)
	}
	// A text of 1 MiB is cut, and a template with a name cannot leave its directory, or be named at length.
	c, err = open(header(0, 4, text("long", strings.Repeat("é", 1<<19)), text("tokenizer.chat_template.tool_use", "{{ t }}"), text("tokenizer.chat_template.../x", "no"),
		text("tokenizer.chat_template."+strings.Repeat("x", maxTemplateName+1), "no")))
	if err != nil {
		t.Fatal(err)
	}
	if long, ok := c.Objects.(metadata)["long"].(cut); !ok || long.Bytes != 1<<20 || long.Head != strings.Repeat("é", 100) {
		t.Errorf("%+v", long)
	}
	if len(c.Files) != 1 || c.Files[0].Path != "additional_chat_templates/tool_use.jinja" {
		t.Errorf("files %v", c.Files)
	}
}

// header is the beginning of a file: what follows the counts is in parts.
func header(tensors, pairs uint64, parts ...[]byte) []byte {
	b := append([]byte(magic), 3, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, tensors)
	return append(binary.LittleEndian.AppendUint64(b, pairs), bytes.Join(parts, nil)...)
}

func u32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
func u64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
func str(s string) []byte { return append(u64(uint64(len(s))), s...) }

func pair(key string, kind valueType, value ...[]byte) []byte {
	return append(append(str(key), u32(uint32(kind))...), bytes.Join(value, nil)...)
}

func text(key, value string) []byte { return pair(key, typeString, str(value)) }

// tensor is a line of the header; dims are in ggml's order.
func tensor(name string, kind uint32, offset uint64, dims ...uint64) []byte {
	b := append(str(name), u32(uint32(len(dims)))...)
	for _, d := range dims {
		b = append(b, u64(d)...)
	}
	return append(append(b, u32(kind)...), u64(offset)...)
}

// padded is a header that is complete, and n bytes after it.
func padded(head []byte, n int) []byte {
	return append(head, make([]byte, -len(head)&31+n)...)
}

// TestHostile has files that kill other readers, or make them wait for ever: each is one line
// that says what is wrong.
func TestHostile(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", []byte("GGUF"), "the version at byte 4 takes 4 bytes, 0 are left"},
		{"version 1", append([]byte("GGUF"), 1, 0, 0, 0), "version 1"},
		{"version 9", append([]byte("GGUF"), 9, 0, 0, 0), "version 9"},
		{"pairs without end", header(0, 1<<63), "claims 9223372036854775808 key-value pairs in 0 bytes"},
		{"tensors without end", header(1<<63, 0), "claims 9223372036854775808 tensors in 0 bytes"},
		{"tensors times their size overflow", header(1<<61, 0, make([]byte, 64)), "claims 2305843009213693952 tensors"},
		{"a key without end", header(0, 1, u64(1<<62), make([]byte, 16)), "claims 4611686018427387904 bytes"},
		{"a text without end", header(0, 1, pair("k", typeString, u64(1<<62), make([]byte, 16))), "takes 4611686018427387904 bytes"},
		{"a text whose length is negative", header(0, 1, pair("k", typeString, u64(1<<64-1), make([]byte, 16))), "takes 18446744073709551615 bytes"},
		{"an array of 2^34 in 100 bytes", header(0, 1, pair("k", typeArray, u32(0), u64(1<<34), make([]byte, 64))), "claims 17179869184 elements"},
		{"an array of texts without end", header(0, 1, pair("k", typeArray, u32(8), u64(1<<60), make([]byte, 64))), "claims 1152921504606846976 elements"},
		{"texts of nothing", header(0, 1, pair("k", typeArray, u32(8), u64(9), make([]byte, 64))), "claims 9 elements in 64 bytes"},
		{"a text of an array that leaves the file", header(0, 1, pair("k", typeArray, u32(8), u64(2), str("a"), u64(99))), "takes 99 bytes, 0 are left"},
		{"arrays of arrays", header(0, 1, pair("k", typeArray, u32(9), u64(1), make([]byte, 64))), "array of arrays"},
		{"an array of nothing", header(0, 1, pair("k", typeArray, u32(77), u64(1), make([]byte, 64))), "type 77"},
		{"a value of nothing", header(0, 1, pair("k", 13, make([]byte, 64))), "its type 13"},
		{"one key twice", header(0, 2, text(long, "a"), text(long, "b")), "twice"},
		{"alignment 0", header(0, 1, pair("general.alignment", typeU32, u32(0))), "general.alignment is 0"},
		{"alignment 3", header(0, 1, pair("general.alignment", typeU32, u32(3))), "general.alignment is 3"},
		{"alignment 2^31", header(0, 1, pair("general.alignment", typeU32, u32(1<<31))), "general.alignment is 2147483648"},
		{"alignment as text", header(0, 1, text("general.alignment", long)), "general.alignment is xxx"},
		{"2^32 dimensions", header(1, 0, str("t"), u32(1<<32-1), make([]byte, 64)), "4294967295 dimensions"},
		{"9 dimensions", header(1, 0, tensor("t", 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1)), "9 dimensions"},
		{"a negative dimension", header(1, 0, tensor("t", 0, 0, 1<<64-1)), "a dimension of 18446744073709551615"},
		{"a product that is 0 in 64 bits", header(1, 0, tensor("t", 0, 0, 1<<32, 1<<32)), "overflows"},
		{"a product that is 0 for another one", header(1, 0, tensor("t", 0, 0, 1<<40, 1<<40, 0)), "overflows"},
		{"a row that is no block", header(1, 0, tensor("t", 8, 0, 33)), "does not fill whole blocks of 32"},
		{"rows that are no blocks", header(1, 0, tensor("t", 8, 0, 16, 2)), "does not fill whole blocks of 32"},
		{"a block of no dimension", header(1, 0, tensor("t", 8, 0)), "does not fill whole blocks"},
		{"an offset of 2^62", padded(header(1, 0, tensor("t", 0, 1<<62, 1)), 32), "from 4611686018427387904 on, of 32"},
		{"an offset of 2^64-32", padded(header(1, 0, tensor("t", 0, 1<<64-32, 1)), 32), "from 18446744073709551584 on"},
		{"an offset between", padded(header(1, 0, tensor("t", 0, 8, 1)), 32), "no multiple of 32"},
		{"a tensor that leaves the file", padded(header(1, 0, tensor("t", 0, 0, 9)), 32), "takes 36 bytes from 0 on, of 32"},
		{"two in one place", padded(header(2, 0, tensor("a", 0, 0, 9), tensor("b", 0, 32, 1)), 64), `"a" and "b" overlap`},
		{"one name twice", padded(header(2, 0, tensor("a", 0, 0, 1), tensor("a", 0, 32, 1)), 64), `"a" twice`},
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
}

// TestAccepts has what is unusual and right.
func TestAccepts(t *testing.T) {
	gap := padded(header(3, 0, tensor("b", 0, 96, 1), tensor("a", 0, 0, 1), tensor("none", 0, 1<<40, 0, 5)), 160)
	c, err := open(gap)
	if err != nil || len(c.Tensors) != 3 || len(c.Notes) != 1 || c.Notes[0] != "96 bytes belong to none of its tensors" {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = open(padded(header(3, 0, tensor("q", 9, 0, 128), tensor("a", 0, 32, 1), tensor("new", 99, 64, 7)), 96))
	if err != nil || len(c.Tensors) != 1 || len(c.Notes) != 0 || fmt.Sprint(c.Omitted) !=
		"[{q its type is Q8_1 (9), which wfs does not read} {new its type is 99, which wfs does not read}]" {
		t.Errorf("%+v, %v", c, err)
	}
	// Of two types with one number it is the bytes that tell: 2048 elements take 576, or 544.
	for second, want := range map[uint64]string{576: "[]", 544: "[{q its type is Q2_0 of a fork (42), which wfs does not read}]"} {
		c, err = open(padded(header(2, 0, tensor("q", 42, 0, 2048), tensor("a", 0, second, 1)), int(second)+32))
		if err != nil || fmt.Sprint(c.Omitted) != want {
			t.Errorf("%+v, %v; want %s", c, err, want)
		}
	}
}

// TestMany opens a file of as many tensors as there may be.
func TestMany(t *testing.T) {
	var lines []byte
	for i := range maxTensors {
		lines = append(lines, tensor(fmt.Sprintf("blk.%d.weight", i), 0, uint64(32*i), 1)...)
	}
	file := padded(header(maxTensors, 0, lines), 32*maxTensors)
	start := time.Now()
	c, err := open(file)
	if err != nil || len(c.Tensors) != maxTensors {
		t.Fatal(err)
	}
	t.Logf("%d tensors took %v", maxTensors, time.Since(start))
	if _, err := open(header(maxTensors+1, 0, lines, make([]byte, 64))); err == nil || !strings.Contains(err.Error(), "wfs reads 500000") {
		t.Error(err)
	}
}

// openIn opens a model by a file of a directory.
func openIn(t *testing.T, dir, name string) (*checkpoint.Model, error) {
	t.Helper()
	d, err := source.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	p := checkpoint.Place{Dir: d, Name: name}
	if SplitFormat().Detect(p) != checkpoint.Certain {
		t.Fatalf("%s is not detected", name)
	}
	return SplitFormat().Open(p, func(dir source.Dir, path string) (*checkpoint.Checkpoint, error) {
		src, err := dir.Open(path)
		if err != nil {
			return nil, err
		}
		c, err := Open(src)
		if err != nil {
			src.Close()
		}
		return c, err
	})
}

// TestSplits opens a model by each of its files, and models whose files do not fit together.
func TestSplits(t *testing.T) {
	parts := readertest.Files(t, "testdata/split-*.gguf", 3)
	one, two, three := "split-00001-of-00003.gguf", "split-00002-of-00003.gguf", "split-00003-of-00003.gguf"
	for name := range parts {
		m, err := openIn(t, "testdata", name)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, t := range m.Tensors() {
			keys = append(keys, t.Key)
		}
		if strings.Join(keys, " ") != "blk.0.weight blk.1.weight blk.2.weight blk.3.weight blk.4.weight" {
			t.Errorf("by %s: %v", name, keys)
		}
		set := m.Sets[0]
		if set.Index != "model.safetensors.index.json" || set.Shards[2].ViewName != "model-00003-of-00003.safetensors" || len(m.Files) != 1 {
			t.Errorf("%+v, files %v", set, m.Files)
		}
		for i, s := range set.Shards {
			if len(s.Notes) > 0 || i > 0 && s.Objects != nil {
				t.Errorf("file %d: notes %v, objects %v", i, s.Notes, s.Objects)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(map[string][]byte)
		want   string
	}{
		{"one is missing", func(m map[string][]byte) { delete(m, two) }, "split-00002-of-00003.gguf, the file 2 of the 3 of the model, is missing"},
		{"two are one", func(m map[string][]byte) { m[two] = m[three] }, "it is not file 2 of the 3"},
		{"the named is another", func(m map[string][]byte) { m[one] = m[two] }, "it says that it is file 2 of 3, and its name that it is 1"},
		{"one is no GGUF", func(m map[string][]byte) { m[two] = []byte("GGUF") }, "0 are left"},
		{"a tensor twice", func(m map[string][]byte) {
			m[three] = bytes.Replace(m[three], []byte("blk.4"), []byte("blk.2"), 1)
		}, `the tensor "blk.2.weight" is in split-00002-of-00003.gguf, too`},
		{"more tensors than there are", func(m map[string][]byte) {
			at := bytes.Index(m[one], []byte("split.tensors.count")) + len("split.tensors.count") + 4
			m[one] = bytes.Clone(m[one])
			m[one][at] = 9
		}, "have 5 tensors, and say that there are 9"},
	} {
		files := map[string][]byte{}
		for name, b := range parts {
			files[name] = b
		}
		c.change(files)
		dir := t.TempDir()
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := openIn(t, dir, one); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// A whole model may be called like a part of one.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, one), readertest.Files(t, "testdata/lora.gguf", 1)["lora.gguf"], 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := openIn(t, dir, one); err != nil || m.Count() != 2 || m.Sets[0].Index != "" {
		t.Errorf("%+v, %v", m, err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, b := range readertest.Files(f, "testdata/*.gguf", 7) {
		f.Add(b)
	}
	f.Add(padded(header(2, 2, pair("a", typeArray, u32(8), u64(2), str("x"), str("y")), text("b", "c"), tensor("t", 8, 0, 32), tensor("u", 0, 64)), 96))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := open(b)
		if err != nil {
			return
		}
		if _, err := json.Marshal(c.Objects); err != nil {
			t.Fatal(err)
		}
		keys := map[string]bool{}
		for _, one := range c.Tensors {
			size, err := checkpoint.ByteSize(one.DType, one.Shape)
			if err != nil || size != one.Data.Size() || size > int64(len(b)) || keys[one.Key] {
				t.Fatalf("%q: %v, %d bytes of %d", one.Key, err, one.Data.Size(), size)
			}
			keys[one.Key] = true
			if n, _ := one.Data.ReadAt(make([]byte, size), 0); int64(n) != size {
				t.Fatalf("%q: %d of %d bytes", one.Key, n, size)
			}
		}
	})
}
