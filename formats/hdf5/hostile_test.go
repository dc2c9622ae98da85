package hdf5

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// devour opens a file and reads all that it has, up to limit bytes of each dataset.
func devour(b []byte, limit int64, anyChecksum bool) error {
	f, err := Open(bytes.NewReader(b), int64(len(b)), Options{
		Cache: NewChunkCache(1 << 20), MaxChunk: 1 << 24, MaxObjects: 1 << 14, anyChecksum: anyChecksum,
	})
	if err != nil {
		return err
	}
	root, err := f.Root()
	if err != nil {
		return err
	}
	var last error
	attributes := func(obj Object) {
		attrs, err := obj.Attrs()
		if err != nil {
			last = err
		}
		for i := range attrs {
			if _, err := attrs[i].Value(); err != nil {
				last = err
			}
		}
	}
	attributes(root)
	seen := map[uint64]bool{}
	err = f.Walk(func(_ string, obj Object) error {
		if seen[obj.Address()] {
			return nil
		}
		seen[obj.Address()] = true
		attributes(obj)
		d, ok := obj.(*Dataset)
		if !ok {
			return nil
		}
		d.Strings(limit)
		p := make([]byte, min(d.Size(), limit))
		if _, err := d.ReadAt(p, 0); err != nil {
			last = err
		}
		if _, err := d.ReadAt(p[:len(p)/2], d.Size()-int64(len(p)/2)); err != nil {
			last = err
		}
		if off, n, ok := d.Contiguous(); ok && (off < 0 || n < 0 || off+n > int64(len(b))) {
			panic("a range outside the file")
		}
		return nil
	})
	return errors.Join(err, last)
}

// TestMutations damages the fixtures in many ways. Nothing may panic, take long or
// allocate more than the caps; errors are welcome, and so is none.
func TestMutations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range append([]string{"filters.h5", "image.h5", "links.h5"}, fixtures...) {
		whole := fixture(t, name)
		for range rounds {
			b := bytes.Clone(whole)
			switch random.IntN(5) {
			case 0:
				b = b[:random.IntN(len(b))]
			case 1: // one bit
				b[random.IntN(len(b))] ^= 1 << random.IntN(8)
			case 2: // some bytes, near the start more often
				for range 1 + random.IntN(20) {
					b[random.IntN(1+random.IntN(len(b)))] = byte(random.IntN(256))
				}
			case 3: // an integer that is too large
				at := random.IntN(len(b) - 8)
				copy(b[at:], bytes.Repeat([]byte{0xff, 0x7f}[random.IntN(2):], 8)[:1+random.IntN(8)])
			case 4: // one place repeated elsewhere, as shared nodes and cycles are
				n := 1 + random.IntN(64)
				copy(b[random.IntN(len(b)-n):], b[random.IntN(len(b)-n):][:n])
			}
			checkHostile(t, name, b, random.IntN(4) != 0)
		}
	}
}

func checkHostile(t *testing.T, name string, b []byte, anyChecksum bool) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := processorTime(t)
	devour(b, 1<<20, anyChecksum)
	if took := processorTime(t) - start; took > 5*time.Second {
		t.Errorf("%s: %v", name, took)
	}
	runtime.ReadMemStats(&after)
	// All that was allocated on the way: each of some dozen datasets may take its
	// megabyte twice, and chunks up to 16 MiB.
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
		t.Errorf("%s: %d bytes allocated", name, n)
	}
}

// FuzzOpen walks and reads whatever it is given.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"seed-old.h5", "seed-new.h5", "filters.h5", "image.h5", "links.h5", "dag.h5"} {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkHostile(t, "fuzz", b, true)
	})
}

// TestBudget asks for attributes again and again, as a file makes a reader do whose
// objects all share one heap: what a walk finds spends the walk's budget.
func TestBudget(t *testing.T) {
	f := open(t, fixture(t, "latest.h5"))
	calls := 0
	err := f.Walk(func(path string, obj Object) error {
		for path == "big" {
			if _, err := obj.Attrs(); err != nil {
				return err
			}
			if calls++; calls > 1<<20 {
				t.Fatal("attributes are read without end")
			}
		}
		return nil
	})
	var broken *FormatError
	if !errors.As(err, &broken) || calls < 100 {
		t.Errorf("%d calls, then %v", calls, err)
	}
}
