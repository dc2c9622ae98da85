package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// gathered is a source in memory that counts, and may hold up or fail, its reads.
type gathered struct {
	data  []byte
	reads atomic.Int64
	bytes atomic.Int64
	hook  func(off int64) error
}

func (g *gathered) ReadAt(p []byte, off int64) (int, error) {
	g.reads.Add(1)
	g.bytes.Add(int64(len(p)))
	if g.hook != nil {
		if err := g.hook(off); err != nil {
			return 0, err
		}
	}
	return bytes.NewReader(g.data).ReadAt(p, off)
}

// ReadCached implements Cached.
func (g *gathered) ReadCached(p []byte, off int64) (int, error) { return g.ReadAt(p, off) }

// matrix is the transpose of a matrix of rows × cols float32 and its bytes.
func matrix(t testing.TB, bands *Bands, rows, cols int64) (*gathered, *Strided, []byte) {
	t.Helper()
	src := &gathered{data: make([]byte, rows*cols*4)}
	rng := rand.NewChaCha8([32]byte{})
	rng.Read(src.data)
	d, err := NewStrided(bands, src, int64(len(src.data)), 0, 4, []int64{cols, rows}, []int64{1, cols})
	if err != nil {
		t.Fatal(err)
	}
	return src, d.(*Strided), naive(src.data, 0, 4, []int64{cols, rows}, []int64{1, cols})
}

// TestBanded reads arrays of some megabytes by way of bands, in order and not: permutations of two to five dimensions, slices,
// expanded and overlapping ones, of every common size of an element.
func TestBanded(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	rng := rand.New(rand.NewPCG(5, 6))
	src := make([]byte, 24<<20)
	rand.NewChaCha8([32]byte{1}).Read(src)
	banded := 0
	for _, c := range []struct {
		elem          int64
		shape, stride []int64
	}{
		{4, []int64{1024, 1024}, []int64{1, 1024}},
		{4, []int64{3000, 2000}, []int64{1, 3000}},
		{2, []int64{3001, 2003}, []int64{1, 3001}},
		{1, []int64{2500, 9000}, []int64{1, 2500}},
		{8, []int64{1500, 2000}, []int64{1, 1500}},
		{16, []int64{1000, 1500}, []int64{1, 1000}},
		{3, []int64{1700, 1900}, []int64{1, 1700}},
		{4, []int64{5, 900, 1100}, []int64{900 * 1100, 1, 900}},
		{2, []int64{64, 300, 500}, []int64{1, 500 * 64, 64}},
		{4, []int64{17, 40, 60, 100}, []int64{1, 17, 60 * 40 * 17, 40 * 17}},
		{4, []int64{60, 7, 50, 9, 20}, []int64{1, 60 * 50, 60, 60 * 50 * 7 * 20, 60 * 50 * 7}},
		{4, []int64{4, 1200, 1100}, []int64{0, 1, 1200}},
		{4, []int64{1200, 4, 1100}, []int64{1, 0, 1200}},
		{4, []int64{1500, 1500}, []int64{2, 3000}},
		{4, []int64{1500, 2000}, []int64{1, 1200}},
		{2, []int64{6, 1_900_000}, []int64{1, 6}},
	} {
		bands := NewBands(16 << 20)
		d, err := NewStrided(bands, bytes.NewReader(src), int64(len(src)), 0, c.elem, c.shape, c.stride)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(c)
		want := naive(src, 0, c.elem, c.shape, c.stride)
		if d.(*Strided).cut != nil {
			banded++
		}
		for _, request := range []int{1 << 20, 300_001} {
			for off := 0; off < len(want); off += request {
				p := make([]byte, min(request, len(want)-off))
				if n, err := d.ReadAt(p, int64(off)); n != len(p) || !bytes.Equal(p, want[off:off+n]) {
					t.Fatalf("%s: other bytes at %d, %v", name, off, err)
				}
			}
		}
		probe(t, name, d, want, rng)
		if held := bands.Held(); held > 16<<20 {
			t.Errorf("%s: %d bytes are held", name, held)
		}
	}
	if banded < 12 {
		t.Errorf("only %d arrays have bands", banded)
	}
}

// TestBandReads counts: a stream needs few reads, and random ones no more than they would
// without bands.
func TestBandReads(t *testing.T) {
	src, d, want := matrix(t, NewBands(16<<20), 4096, 2048)
	for off := 0; off < len(want); off += 256 << 10 {
		p := make([]byte, 256<<10)
		if err := ReadFull(d, p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
			t.Fatal("other bytes", err)
		}
	}
	if n := src.reads.Load(); n > 8*4096 { // in four bands or eight, 131 072 without
		t.Errorf("a stream took %d reads", n)
	}
	src, d, want = matrix(t, NewBands(16<<20), 4096, 2048)
	plain := *d
	plain.cut = nil
	rng := rand.New(rand.NewPCG(1, 2))
	var counts [2]int64
	for range 40 {
		off := rng.IntN(len(want) - 4096)
		for i, d := range []*Strided{d, &plain} {
			before := src.bytes.Load()
			p := make([]byte, 4096)
			if err := ReadFull(d, p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+4096]) {
				t.Fatal("other bytes", err)
			}
			counts[i] += src.bytes.Load() - before
		}
	}
	if counts[0] != counts[1] {
		t.Errorf("random reads took %d bytes of the source, and %d without bands", counts[0], counts[1])
	}
}

// TestBandsShared reads two arrays from many goroutines at once: within the limit, and each
// band is built once for those who come at the same time.
func TestBandsShared(t *testing.T) {
	const limit = 16 << 20
	bands := NewBands(limit)
	var wait sync.WaitGroup
	for range 2 {
		src, d, want := matrix(t, bands, 4096, 1024)
		for range 4 {
			wait.Go(func() {
				for off := 0; off < len(want); off += 512 << 10 {
					p := make([]byte, 512<<10)
					if err := ReadFull(d, p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
						t.Error("other bytes", err)
						return
					}
					if held := bands.Held(); held > limit {
						t.Errorf("%d bytes are held", held)
					}
				}
			})
		}
		_ = src
	}
	wait.Wait()
}

// TestBandNotCached finds a source that is not in memory: whoever waits for nothing is told
// at once, also while another builds, and another way to read still works.
func TestBandNotCached(t *testing.T) {
	src, d, want := matrix(t, NewBands(16<<20), 4096, 1024)
	cold := ReadFunc(func(r io.ReaderAt, p []byte, off int64) (int, error) {
		if m, ok := r.(*manner); ok {
			return m.ReadCached(p, off)
		}
		return 0, ErrNotCached
	})
	p := make([]byte, 1<<20)
	if _, err := d.ReadWith(cold, p, 0); !errors.Is(err, ErrNotCached) {
		t.Errorf("a source that is not in memory: %v", err)
	}
	building, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	src.hook = func(int64) error {
		once.Do(func() { close(building) })
		<-release
		return nil
	}
	done := make(chan error)
	go func() { done <- ReadFull(d, make([]byte, 1<<20), 0) }()
	<-building
	if _, err := d.ReadWith(ReadCached, p, 0); !errors.Is(err, ErrNotCached) {
		t.Errorf("beside a builder that waits: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("killed"))
	if _, err := d.ReadWith(ReadUntil(ctx), p, 0); err == nil {
		t.Error("a reader that was killed has waited")
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n, err := d.ReadWith(ReadCached, p, 0); n != len(p) || !bytes.Equal(p, want[:n]) {
		t.Errorf("from the band: %v", err)
	}
}

// TestBandFails has a place that cannot be read: what does not need it can be read, the rest
// is that error, and no band is built anew for each request.
func TestBandFails(t *testing.T) {
	src, d, want := matrix(t, NewBands(16<<20), 4096, 2048)
	errBroken := errors.New("broken")
	// Rows 4000 and on have no columns from 512 on: the second of four bands.
	src.hook = func(off int64) error {
		if off/8192 >= 4000 && off%8192 >= 2048 {
			return errBroken
		}
		return nil
	}
	p := make([]byte, 64<<10)
	half := len(want) / 4 // the first band
	for off := 0; off < half; off += len(p) {
		if err := ReadFull(d, p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
			t.Fatalf("at %d: %v", off, err)
		}
	}
	before := src.bytes.Load()
	for range 20 { // a row of the output is 16 KiB, of which 4000 elements can be read
		if err := ReadFull(d, p[:16000], int64(half)); err != nil || !bytes.Equal(p[:16000], want[half:half+16000]) {
			t.Fatalf("what does not need the place: %v", err)
		}
		if err := ReadFull(d, p, int64(half)); !errors.Is(err, errBroken) {
			t.Fatalf("what does: %v", err)
		}
	}
	if read := src.bytes.Load() - before; read > int64(half)+20*int64(2*len(p)) {
		t.Errorf("%d bytes were read", read)
	}
	if d.bands.Held() != 0 {
		t.Errorf("%d bytes are held", d.bands.Held())
	}
	src.hook = func(int64) error { panic("bug") }
	err := guarded(func() error { return ReadFull(d, make([]byte, 1<<20), int64(len(want)/2)) })
	if err == nil || d.bands.Held() != 0 {
		t.Errorf("after a panic: %v, %d bytes held", err, d.bands.Held())
	}
}

// TestBandsExpire leaves bands alone: they go.
func TestBandsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bands := NewBands(16 << 20)
		_, d, _ := matrix(t, bands, 4096, 512)
		if err := ReadFull(d, make([]byte, 1<<20), 0); err != nil || bands.Held() == 0 {
			t.Fatalf("nothing is held, %v", err)
		}
		time.Sleep(2 * keptFor)
		synctest.Wait()
		if bands.Held() != 0 || bands.spare != nil {
			t.Error("a band is held that nobody uses")
		}
	})
}

// TestBandsBounded reads the transpose of a terabyte: a band is not built for small requests, and never larger than it may be.
func TestBandsBounded(t *testing.T) {
	d, err := NewStrided(NewBands(DefaultBandsSize), zeros{}, 1<<40, 0, 4, []int64{1 << 19, 1 << 19}, []int64{1, 1 << 19})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	for _, request := range []int{4096, 1 << 20} {
		runtime.ReadMemStats(&before)
		if err := ReadFull(d, make([]byte, request), d.Size()/2+1); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > maxBand+4*uint64(request)+8<<20 || request == 4096 && took > 1<<20 {
			t.Errorf("a request of %d bytes allocated %d", request, took)
		}
	}
}
