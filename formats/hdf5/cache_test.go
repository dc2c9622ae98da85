package hdf5

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// watched is a source that tells of each read, and may hold it up.
type watched struct {
	data   []byte
	before func(off int64)

	mu    sync.Mutex
	bytes int
}

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	if w.before != nil {
		w.before(off)
	}
	n, err := bytes.NewReader(w.data).ReadAt(p, off)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += n
	return n, err
}

// rows makes a deflated dataset of count chunks of size bytes each, and its values.
// Every third chunk is the same.
func rows(t testing.TB, w *watched, count, size int, cache *ChunkCache) (*Dataset, []byte) {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	var values []byte
	x := &chunkIndex{}
	for i := range count {
		if i >= 3 {
			values = append(values, values[(i-3)*size:][:size]...)
			x.entries = append(x.entries, x.entries[i-3])
			x.entries[i].place = uint64(i)
			continue
		}
		for range size {
			values = append(values, byte(random.IntN(4)))
		}
		z := zlibOf(t, values[i*size:], 1)
		x.entries = append(x.entries, chunkEntry{uint64(i), uint64(len(w.data)), uint32(len(z)), 0})
		w.data = append(w.data, z...)
	}
	f := &File{r: w, size: int64(len(w.data)), opt: Options{Cache: cache}}
	d := &Dataset{
		node: node{f: f, addr: 1}, Dtype: Datatype{Kind: KindUint, Size: 1}, element: 1, size: int64(len(values)),
		layout:  &layout{class: layoutChunked, chunk: []uint64{uint64(size)}, chunkBytes: uint64(size)},
		filters: []filter{{id: filterDeflate}}, dims: []uint64{uint64(len(values)), 1},
		chunk: []uint64{uint64(size), 1}, grid: []uint64{uint64(count), 1},
	}
	f.loaded.Store(d.addr, x)
	return d, values
}

// stream reads a dataset from its start to its end in requests of n bytes.
func stream(d *Dataset, n int, visit func(off int)) ([]byte, error) {
	all := make([]byte, d.Size())
	for off := 0; off < len(all); off += n {
		end := min(off+n, len(all))
		if got, err := d.ReadAt(all[off:end], int64(off)); got != end-off {
			return nil, err
		}
		if visit != nil {
			visit(off)
		}
	}
	return all, nil
}

// TestCacheCap streams more than the cache may hold, in several goroutines.
func TestCacheCap(t *testing.T) {
	const limit = 2 << 20
	cache := NewChunkCache(limit)
	var wait sync.WaitGroup
	for range 3 {
		d, values := rows(t, &watched{}, 12, 512<<10, cache)
		wait.Go(func() {
			got, err := stream(d, 100_000, func(int) {
				if held := cache.Held(); held > limit {
					t.Errorf("the cache holds %d bytes", held)
				}
			})
			if err != nil || !bytes.Equal(got, values) {
				t.Errorf("other bytes, %v", err)
			}
		})
	}
	wait.Wait()
	if cache.Held() == 0 {
		t.Error("the cache holds nothing")
	}
}

// TestLargeChunk reads a chunk that the cache has no room for piece by piece: it is
// decoded once, held alone, and makes way for others.
func TestLargeChunk(t *testing.T) {
	cache := NewChunkCache(1 << 20)
	small, _ := rows(t, &watched{}, 2, 300<<10, cache)
	if _, err := stream(small, 64<<10, nil); err != nil {
		t.Fatal(err)
	}
	w := &watched{}
	large, values := rows(t, w, 1, 5<<20, cache)
	got, err := stream(large, 64<<10, nil)
	if err != nil || !bytes.Equal(got, values) {
		t.Fatalf("other bytes, %v", err)
	}
	if w.bytes > len(w.data) {
		t.Errorf("%d bytes were read for a chunk of %d", w.bytes, len(w.data))
	}
	if held := cache.Held(); held != 5<<20 {
		t.Errorf("%d bytes are held beside the large chunk", held-5<<20)
	}
	if _, err := stream(small, 64<<10, nil); err != nil {
		t.Fatal(err)
	}
	if held := cache.Held(); held > 1<<20 {
		t.Errorf("%d bytes are held after the large chunk", held)
	}
}

// TestNoLock holds up the reading of one chunk: others can be read meanwhile.
func TestNoLock(t *testing.T) {
	cache := NewChunkCache(DefaultCacheSize)
	held, release := make(chan struct{}), make(chan struct{})
	w := &watched{}
	d, values := rows(t, w, 2, 100_000, cache)
	var once sync.Once
	w.before = func(off int64) {
		if off == 0 {
			once.Do(func() { close(held) })
			<-release
		}
	}
	first := make(chan error, 1)
	go func() {
		_, err := d.ReadAt(make([]byte, 10), 0)
		first <- err
	}()
	<-held
	second := make(chan error, 1)
	go func() {
		p := make([]byte, 10)
		_, err := d.ReadAt(p, 150_000)
		if err == nil && !bytes.Equal(p, values[150_000:150_010]) {
			err = errors.New("other bytes")
		}
		second <- err
	}()
	select {
	case err := <-second:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("a chunk waits for another one's decoding")
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestPanic breaks a reader's invariants: a bug costs requests, never the process.
func TestPanic(t *testing.T) {
	w := &watched{}
	d, values := rows(t, w, 8, 300<<10, NewChunkCache(DefaultCacheSize))
	var broken atomic.Bool
	broken.Store(true)
	w.before = func(int64) {
		if broken.Load() {
			panic("bug")
		}
	}
	err := guarded(func() error {
		_, err := d.ReadAt(make([]byte, d.Size()), 0)
		return err
	})
	if !errors.Is(err, errPanic) {
		t.Error(err)
	}
	broken.Store(false)
	if got, err := stream(d, 100_000, nil); err != nil || !bytes.Equal(got, values) {
		t.Errorf("after a panic: %v", err)
	}
	if cache := d.f.opt.Cache; cache.reserved != 0 {
		t.Errorf("%d bytes stay reserved", cache.reserved)
	}
}

// TestReadAhead reads the first chunks of many, in order: those after them get decoded
// without being asked for, but none when reads jump.
func TestReadAhead(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	const size, count = 600 << 10, 40
	cached := func(d *Dataset) (n int) {
		for i := range count {
			if _, ok := d.f.opt.Cache.get(d.key(uint64(i))); ok {
				n++
			}
		}
		return n
	}
	d, _ := rows(t, &watched{}, count, size, NewChunkCache(DefaultCacheSize))
	p := make([]byte, 64<<10)
	for off := int64(0); off < size+size/2; off += int64(len(p)) {
		if _, err := d.ReadAt(p, off); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); cached(d) < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d chunks are decoded, of which 2 were read", cached(d))
		}
	}
	jumping, _ := rows(t, &watched{}, count, size, NewChunkCache(DefaultCacheSize))
	for i := range int64(5) {
		p := make([]byte, size) // as much as would do in order
		if _, err := jumping.ReadAt(p[:size-8], (39-8*i)*size); err != nil {
			t.Fatal(err)
		}
	}
	if n := cached(jumping); n != 5 {
		t.Errorf("%d chunks are decoded for five reads far from each other", n)
	}
}
