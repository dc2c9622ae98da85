package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// TestLines writes lines and reads them back, for names of every kind.
func TestLines(t *testing.T) {
	sum := Sum(sha256.Sum256([]byte("x")))
	for name, want := range map[string]string{
		"model.fc.weight": sum.String() + "  model.fc.weight\n",
		"ключ/x:0 *":      sum.String() + "  ключ/x:0 *\n",
		"":                sum.String() + "  \n",
		" ":               sum.String() + "   \n",
		`a\b`:             `\` + sum.String() + `  a\\b` + "\n",
		"a\nb\r\\n":       `\` + sum.String() + `  a\nb\r\\n` + "\n",
		"\x1b[2J\x7f":     `\` + sum.String() + `  \x1b[2J\x7f` + "\n",
		"\u009b31m":       `\` + sum.String() + `  \xc2\x9b31m` + "\n",
		"\xff\uFFFD":      `\` + sum.String() + "  \\xff\uFFFD\n",
		`\x1b`:            `\` + sum.String() + `  \\x1b` + "\n",
	} {
		line := Line{Sum: sum, Name: name}
		text := line.AppendTo(nil)
		if string(text) != want || LineSize(name) != int64(len(want)) {
			t.Errorf("%q: %q, want %q; LineSize is %d of %d", name, text, want, LineSize(name), len(want))
		}
		for _, l := range []Line{line, {Sum: sum, Name: name, Model: true}} {
			if got, ok := ParseLine(bytes.TrimSuffix(l.AppendTo(nil), []byte("\n"))); !ok || got != l {
				t.Errorf("%q is read as %+v, %v", l.AppendTo(nil), got, ok)
			}
		}
	}
	hash := sum.String()
	for _, text := range []string{"", "x", hash, hash + " ", hash + " a", hash[1:] + "  a", "g" + hash[1:] + "  a", `\` + hash + `  a\q`, `\` + hash + `  a\`, `\` + hash + `  \x1`, `\` + hash + `  \xgg`} {
		if l, ok := ParseLine([]byte(text)); ok {
			t.Errorf("%q is read as %+v", text, l)
		}
	}
	if l, ok := ParseLine([]byte(strings.ToUpper(hash) + "  a")); !ok || l.Sum != sum {
		t.Error("upper case is not read")
	}
}

// data is the bytes of a tensor, which it counts the reads of.
type data struct {
	segment.Literal
	reads atomic.Int64
	fail  func(off int64) error
}

func (d *data) ReadAt(p []byte, off int64) (int, error) {
	d.reads.Add(1)
	if d.fail != nil {
		if err := d.fail(off); err != nil {
			return 0, err
		}
	}
	return d.Literal.ReadAt(p, off)
}

func tensorOf(key string, d segment.Data) *checkpoint.Tensor {
	return &checkpoint.Tensor{Key: key, DType: checkpoint.U8, Shape: []int64{d.Size()}, Data: d}
}

func random(seed byte, n int) segment.Literal {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed + byte(i*i>>3)
	}
	return b
}

// TestCompute hashes tensors of many sizes, a tied one once, in both forms.
func TestCompute(t *testing.T) {
	var all []*checkpoint.Tensor
	for i, n := range []int{0, 1, 100, block - 1, block, block + 1, 3*block + 17, 8 * block} {
		all = append(all, tensorOf(fmt.Sprint(n), &data{Literal: random(byte(i), n)}))
	}
	tied := tensorOf("tied", all[7].Data)
	tied.Tied = all[7]
	all = append(all, tied, &checkpoint.Tensor{Key: "scalar", DType: checkpoint.F64, Data: random(9, 8)})
	for _, form := range []Form{Tensors, Bytes} {
		d := New(form, slices.Values(all))
		var progress atomic.Int64
		if d.Done() {
			t.Error("done before it began")
		}
		if err := d.Compute(context.Background(), func(n int64) { progress.Add(n) }); err != nil || !d.Done() {
			t.Fatal(err)
		}
		if progress.Load() != d.Size() {
			t.Errorf("progress of %d bytes, want %d", progress.Load(), d.Size())
		}
		for _, one := range all {
			b := make([]byte, one.Data.Size())
			one.Data.ReadAt(b, 0)
			if form == Tensors {
				b = append(fmt.Appendf(nil, "%s %s\n", one.DType, strings.ReplaceAll(fmt.Sprint(append([]int64{}, one.Shape...)), " ", ", ")), b...)
			}
			if sum, ok := d.Of(one); !ok || sum != sha256.Sum256(b) {
				t.Errorf("form %d, %s: %v, %v", form, one.Key, sum, ok)
			}
		}
	}
	// Computed in two forms, and read here in each by both of its names.
	if n := all[7].Data.(*data).reads.Load(); n != 2*8+2*2 {
		t.Errorf("a tied tensor was read by %d calls", n)
	}
}

// TestResume lets a source fail, panic, and a reader give up: what was computed stays.
func TestResume(t *testing.T) {
	good, bad := &data{Literal: random(1, 100)}, &data{Literal: random(2, 4*block)}
	for name, fail := range map[string]func(int64) error{
		"fails":  func(off int64) error { return map[bool]error{true: errors.New("no such luck")}[off >= 2*block] },
		"panics": func(off int64) error { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			bad.fail = fail
			d := New(Bytes, slices.Values([]*checkpoint.Tensor{tensorOf("bad", bad), tensorOf("good", good)}))
			if err := d.Compute(context.Background(), nil); err == nil || !strings.HasPrefix(err.Error(), `tensor "bad": `) {
				t.Errorf("error %v", err)
			}
			bad.fail = nil
			if err := d.Compute(context.Background(), nil); err != nil || !d.Done() {
				t.Error(err)
			}
			before := good.reads.Load() + bad.reads.Load()
			if err := d.Compute(context.Background(), nil); err != nil || good.reads.Load()+bad.reads.Load() != before {
				t.Errorf("computed again: %v", err)
			}
		})
	}
}

// TestAtOnce has several compute, of whom one gives up: each byte is read once all the
// same, and those who wait are alive.
func TestAtOnce(t *testing.T) {
	release := make(chan struct{})
	slow := &data{Literal: random(1, 4*block)}
	slow.fail = func(off int64) error { <-release; return nil }
	d := New(Bytes, slices.Values([]*checkpoint.Tensor{tensorOf("slow", slow)}))
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("gone")
	var alive atomic.Int64
	var group sync.WaitGroup
	group.Go(func() {
		if err := d.Compute(segment.WithAlive(context.Background(), func() { alive.Add(1) }), nil); err != nil {
			t.Error(err)
		}
	})
	for slow.reads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	group.Go(func() {
		if err := d.Compute(ctx, nil); !errors.Is(err, gone) {
			t.Errorf("who gave up got %v", err)
		}
	})
	for range 3 {
		group.Go(func() {
			if err := d.Compute(context.Background(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	cancel(gone)
	time.Sleep(10 * time.Millisecond)
	close(release)
	group.Wait()
	if n := slow.reads.Load(); n != 4 || alive.Load() < 4 {
		t.Errorf("4 blocks were read by %d calls, alive %d times", n, alive.Load())
	}
}
