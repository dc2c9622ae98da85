package diff

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// of is a tensor of bytes of a file that is called name.
func of(name, key string, d checkpoint.DType, shape []int64, data segment.Data) Tensor {
	src := source.NewMemory(name, segment.Literal(nil), nil)
	return Tensor{Key: key, Tensor: &checkpoint.Tensor{Key: key, DType: d, Shape: shape, Data: data}, Source: src}
}

func bytesOf(name string, values map[string]string) (all []Tensor) {
	for key, v := range values {
		all = append(all, of(name, key, checkpoint.U8, []int64{int64(len(v))}, segment.Literal(v)))
	}
	return all
}

func lines(c *Comparison) string {
	var all []string
	for _, e := range c.Entries() {
		all = append(all, strings.TrimSpace(e.Kind+" "+e.Key+" "+e.KeyB))
	}
	return strings.Join(all, "; ")
}

// TestKeys pairs keys: as they are, without a prefix, and by their bytes.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		a, b   map[string]string
		want   string
		prefix string
	}{
		{map[string]string{"x": "1", "y": "2"}, map[string]string{"x": "1", "z": "33"}, "equal x; removed y; added z", ""},
		{map[string]string{"module.x.w": "1", "module.y.w": "2"}, map[string]string{"x.w": "1", "y.w": "3"}, "equal module.x.w x.w; changed module.y.w y.w", "module.* *"},
		{map[string]string{"x.w": "1", "y.w": "2", "z": "9"}, map[string]string{"m/x.w": "1", "m/y.w": "2", "z": "9"}, "equal x.w m/x.w; equal y.w m/y.w; equal z", "* m/*"},
		{map[string]string{"a.x.w": "1", "a.y.w": "2", "a.more": "5"}, map[string]string{"b.x.w": "1", "b.y.w": "2"}, "removed a.more; equal a.x.w b.x.w; equal a.y.w b.y.w", "a.* b.*"},
		{map[string]string{"a.x.w": "1", "a.y.w": "22"}, map[string]string{"b.x.w": "1", "b.y.w": "2"}, "renamed a.x.w b.x.w; removed a.y.w; added b.y.w", ""},
		{map[string]string{"old.weight": "abc"}, map[string]string{"new.bias": "abc"}, "renamed old.weight new.bias", ""},
		// Equal bytes: what ends alike belongs together.
		{map[string]string{"p.0.q": "00", "p.1.r": "00", "only": "7"}, map[string]string{"s.1.r": "00", "s.0.q": "00"}, "removed only; renamed p.0.q s.0.q; renamed p.1.r s.1.r", "x"},
	} {
		cmp := New(bytesOf("a", c.a), bytesOf("b", c.b), Options{})
		if err := cmp.FindRenames(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if err := cmp.Compare(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		prefix := ""
		if p := cmp.Prefix; p != nil {
			prefix = p.A + "* " + p.B + "*"
		}
		if c.prefix == "x" { // found, or by the bytes
			prefix = "x"
			if got := strings.NewReplacer("equal", "renamed").Replace(lines(cmp)); got != c.want {
				t.Errorf("%v, %v: %s, want %s", c.a, c.b, got, c.want)
			}
			continue
		}
		if got := lines(cmp); got != c.want || prefix != c.prefix {
			t.Errorf("%v, %v: %s (%s), want %s (%s)", c.a, c.b, got, prefix, c.want, c.prefix)
		}
	}
}

// TestRenamesReadLittle looks for renames among large tensors that differ at their start,
// or that have a shape of their own.
func TestRenamesReadLittle(t *testing.T) {
	const size = 8 << 20
	var read atomic.Int64
	large := func(start byte) segment.Data {
		return counted{size, func(p []byte, off int64) { read.Add(int64(len(p))); clear(p); p[0] = start }}
	}
	c := New([]Tensor{of("a", "x", checkpoint.U8, []int64{size}, large(1)), of("a", "y", checkpoint.U8, []int64{2, size / 2}, large(3))},
		[]Tensor{of("b", "z", checkpoint.U8, []int64{size}, large(2))}, Options{})
	if err := c.FindRenames(context.Background(), nil); err != nil || len(c.Renamed) != 0 {
		t.Errorf("%v, %v", c.Renamed, err)
	}
	if read.Load() > 2*sample {
		t.Errorf("%d bytes were read", read.Load())
	}
}

// counted is size bytes that a function makes.
type counted struct {
	size int64
	fill func(p []byte, off int64)
}

func (c counted) Size() int64 { return c.size }

func (c counted) ReadAt(p []byte, off int64) (int, error) {
	p, atEnd, err := segment.Clip(p, off, c.size)
	if err != nil {
		return 0, err
	}
	c.fill(p, off)
	return len(p), atEnd
}

// TestSameFile compares a file with itself: nothing is read. A tied tensor is compared once.
func TestSameFile(t *testing.T) {
	broken := counted{10, func([]byte, int64) { panic("read") }}
	a := of("a", "x", checkpoint.U8, []int64{10}, broken)
	c := New([]Tensor{a}, []Tensor{a}, Options{})
	if err := c.Compare(context.Background(), nil); err != nil || c.Differs() || lines(c) != "identical x" {
		t.Errorf("%s, %v", lines(c), err)
	}

	reads := 0
	one := of("a", "w", checkpoint.U8, []int64{10}, counted{10, func(p []byte, _ int64) { reads++; clear(p) }})
	tied := Tensor{Key: "v", Tensor: &checkpoint.Tensor{Key: "v", DType: checkpoint.U8, Shape: one.Shape, Data: one.Data, Tied: one.Tensor}, Source: one.Source}
	two, alsoTied := of("b", "w", checkpoint.U8, []int64{10}, segment.Literal(make([]byte, 10))), tied
	alsoTied.Tensor = &checkpoint.Tensor{Key: "v", DType: checkpoint.U8, Shape: one.Shape, Data: two.Data, Tied: two.Tensor}
	alsoTied.Source = two.Source
	c = New([]Tensor{one, tied}, []Tensor{two, alsoTied}, Options{})
	if err := c.Compare(context.Background(), nil); err != nil || lines(c) != "equal v; equal w" || reads != 1 {
		t.Errorf("%s, %d reads, %v", lines(c), reads, err)
	}
}

// TestFailures lets a side fail, panic, or be given up: the error names file and tensor, and
// the next call finds what it has to.
func TestFailures(t *testing.T) {
	const size = 4 * blockBytes
	var fail func(off int64) error
	a := of("a.bin", "w", checkpoint.U8, []int64{size}, failing{size, func(off int64) error { return fail(off) }})
	b := of("b.bin", "w", checkpoint.U8, []int64{size}, counted{size, func(p []byte, _ int64) { clear(p) }})
	c := New([]Tensor{a}, []Tensor{b}, Options{})
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	for name, f := range map[string]func(int64) error{
		"a fault": func(off int64) error {
			if off >= 2*blockBytes {
				return errors.New("a fault")
			}
			return nil
		},
		"a bug": func(int64) error { panic("a bug") },
		"gone":  func(int64) error { cancel(gone); return gone },
	} {
		fail = f
		use := context.Background()
		if name == "gone" {
			use = ctx
		}
		if err := c.Compare(use, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		} else if name != "gone" && !strings.HasPrefix(err.Error(), `a.bin: tensor "w": `) {
			t.Errorf("the error is %v", err)
		}
		if c.Pairs[0].Verdict != Unknown {
			t.Errorf("%s: a verdict", name)
		}
	}
	fail = func(int64) error { return nil }
	if err := c.Compare(context.Background(), nil); err != nil || lines(c) != "equal w" {
		t.Errorf("%s, %v", lines(c), err)
	}
}

type failing struct {
	size int64
	err  func(off int64) error
}

func (f failing) Size() int64 { return f.size }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if err := f.err(off); err != nil {
		return 0, err
	}
	clear(p)
	return len(p), nil
}

// TestBrief ends at the first difference of a tensor.
func TestBrief(t *testing.T) {
	const size = 64 * blockBytes
	var read atomic.Int64
	side := func(name string, value byte) []Tensor {
		return []Tensor{of(name, "w", checkpoint.U8, []int64{size}, counted{size, func(p []byte, off int64) {
			read.Add(int64(len(p)))
			clear(p)
			p[0] = value
		}})}
	}
	c := New(side("a", 1), side("b", 2), Options{Brief: true})
	if err := c.Compare(context.Background(), nil); err != nil || lines(c) != "changed w" || c.Pairs[0].Values != nil || read.Load() > size/2 {
		t.Errorf("%s, %d bytes read, %v", lines(c), read.Load(), err)
	}
}

// TestDelta reads b - a at odd offsets, for dtypes of every kind.
func TestDelta(t *testing.T) {
	u64 := func(v ...uint64) (b segment.Literal) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, x)
		}
		return b
	}
	f64 := func(v ...float64) (b segment.Literal) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		return b
	}
	f32 := func(v ...float32) (b segment.Literal) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	i16 := func(v ...int16) (b segment.Literal) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint16(b, uint16(x))
		}
		return b
	}
	bf16 := segment.Literal{0x80, 0x3f, 0x00, 0x40, 0xc0, 0xff} // 1, 2, NaN
	for _, c := range []struct {
		a, b checkpoint.DType
		x, y segment.Literal
		out  checkpoint.DType
		want segment.Literal
	}{
		{checkpoint.U8, checkpoint.U8, segment.Literal{0, 255, 7}, segment.Literal{255, 0, 7}, checkpoint.I16, i16(255, -255, 0)},
		{checkpoint.BOOL, checkpoint.BOOL, segment.Literal{0, 1, 1}, segment.Literal{1, 0, 1}, checkpoint.I8, segment.Literal{1, 255, 0}},
		{checkpoint.U64, checkpoint.I64, u64(5, 1<<63, 0), u64(3, 1, 1<<63), checkpoint.I64, u64(math.MaxUint64-1, 1<<63+1, 1<<63)},
		{checkpoint.F32, checkpoint.F32, f32(1, 0.1, 3e38), f32(2, 0.3, -3e38), checkpoint.F32, f32(1, float32(0.3)-float32(0.1), float32(math.Inf(-1)))},
		{checkpoint.BF16, checkpoint.F32, bf16[:4], f32(1.5, 1), checkpoint.F32, f32(0.5, -1)},
		{checkpoint.F32, checkpoint.F64, f32(1, 2), f64(1.5, 2+0x1p-40), checkpoint.F64, f64(0.5, 0x1p-40)},
		{checkpoint.I16, checkpoint.F32, i16(1, 2), f32(1.5, 2), checkpoint.F64, f64(0.5, 0)},
		{checkpoint.C64, checkpoint.F32, f32(1, 2, 3, 4), f32(1, 1), checkpoint.C64, f32(0, -2, -2, -4)},
	} {
		count := int64(len(c.x)) * 8 / int64(c.a.Bits())
		p := New([]Tensor{of("a", "w", c.a, []int64{count}, c.x)}, []Tensor{of("b", "w", c.b, []int64{count}, c.y)}, Options{}).Pairs[0]
		data, out, ok := p.Delta()
		if !ok || out != c.out || data.Size() != c.want.Size() {
			t.Errorf("%s - %s: %s of %d bytes, want %s", c.b, c.a, out, data.Size(), c.out)
			continue
		}
		for off := range data.Size() {
			b := make([]byte, data.Size()-off)
			if n, err := data.ReadAt(b, off); n != len(b) || err != nil && err != io.EOF || string(b) != string(c.want[off:]) {
				t.Errorf("%s - %s at %d: %x, %v; want %x", c.b, c.a, off, b, err, c.want[off:])
			}
		}
	}
	// A large one, in pieces that begin anywhere.
	const size = 300_000
	ramp := func(step int16) segment.Data {
		return counted{2 * size, func(p []byte, off int64) {
			for i := range p {
				p[i] = byte(uint16(int16((off+int64(i))/2)*step) >> (8 * ((off + int64(i)) % 2)))
			}
		}}
	}
	p := New([]Tensor{of("a", "w", checkpoint.I16, []int64{size}, ramp(1))}, []Tensor{of("b", "w", checkpoint.I16, []int64{size}, ramp(1))}, Options{}).Pairs[0]
	data, _, _ := p.Delta()
	for off := int64(0); off < data.Size(); off += 100_003 {
		b := make([]byte, min(100_003, data.Size()-off))
		for i := range b {
			b[i] = 1
		}
		if err := segment.ReadFull(data, b, off); err != nil || strings.Trim(string(b), "\x00") != "" {
			t.Fatalf("at %d: %v", off, err)
		}
	}
	for _, d := range []checkpoint.DType{checkpoint.F6E3M2, checkpoint.F6E2M3} {
		p := New([]Tensor{of("a", "w", d, []int64{256}, segment.Literal(nil))}, []Tensor{of("b", "w", d, []int64{256}, segment.Literal(nil))}, Options{}).Pairs[0]
		if _, _, ok := p.Delta(); ok {
			t.Errorf("%s has a delta", d)
		}
	}
}

// TestBytes compares what is not read as numbers.
func TestBytes(t *testing.T) {
	a, b := make(segment.Literal, 192), make(segment.Literal, 192)
	b[7], b[100] = 1, 2
	c := New([]Tensor{of("a", "w", checkpoint.F6E2M3, []int64{256}, a), of("a", "v", checkpoint.F6E2M3, []int64{256}, a)},
		[]Tensor{of("b", "w", checkpoint.F6E2M3, []int64{256}, b), of("b", "v", checkpoint.F32, []int64{256}, make(segment.Literal, 1024))}, Options{})
	if err := c.Compare(context.Background(), nil); err != nil || lines(c) != "dtype v; changed w" {
		t.Errorf("%s, %v", lines(c), err)
	}
	if text := fmt.Sprint(c.Entries()[0].Text(0), c.Entries()[1].Text(0)); !strings.Contains(text, "values not compared") || !strings.Contains(text, "2 bytes differ") {
		t.Error(text)
	}
}

// TestBlocks compares block types by the float32 that they stand for, with each other and
// with numbers.
func TestBlocks(t *testing.T) {
	block := func(d byte, codes ...byte) segment.Literal { // of Q8_0
		b := make(segment.Literal, 34)
		b[1] = d
		copy(b[2:], codes)
		return b
	}
	one, two := block(0x3c, 4, 6, 8), block(0x40, 2, 3, 5) // scales of 1 and 2
	floats := make(segment.Literal, 128)
	for i, v := range []float32{4, 6, 8} {
		binary.LittleEndian.PutUint32(floats[4*i:], math.Float32bits(v))
	}
	c := New([]Tensor{of("a", "w", checkpoint.Q80, []int64{32}, one), of("a", "v", checkpoint.Q80, []int64{32}, one)},
		[]Tensor{of("b", "w", checkpoint.Q80, []int64{32}, two), of("b", "v", checkpoint.F32, []int64{32}, floats)}, Options{})
	if err := c.Compare(context.Background(), nil); err != nil || lines(c) != "dtype v; changed w" {
		t.Fatalf("%s, %v", lines(c), err)
	}
	for _, p := range c.Pairs {
		want := Values{Elements: 32, Finite: 32}
		if p.A.Key == "w" {
			want = Values{Elements: 32, Finite: 32, Differing: 1, Beyond: 1, MaxAbs: 2, MaxAt: 2, MaxRel: 0.2, MeanAbs: 2. / 32, MaxULP: 2 << 20}
		}
		got := *p.Values
		if got.Cosine < 0.99 {
			t.Errorf("%s: the cosine is %v", p.A.Key, got.Cosine)
		}
		if got.Cosine = 0; got != want {
			t.Errorf("%s: %+v, want %+v", p.A.Key, got, want)
		}
		data, dtype, ok := p.Delta()
		delta := make([]byte, 128)
		if !ok || dtype != checkpoint.F32 || segment.ReadFull(data, delta, 0) != nil || float64(math.Float32frombits(binary.LittleEndian.Uint32(delta[8:]))) != want.MaxAbs {
			t.Errorf("%s: %v of %s: %x", p.A.Key, ok, dtype, delta)
		}
	}
}
