package hdf5

import (
	"runtime"
	"sync"
	"wfs/formats/internal/sequential"
)

// window is how much is decoded ahead, unless a chunk for each processor is more.
const window = 2 << 20

// ahead is how far a sequential reader of a dataset has come, and what is being
// decoded for it.
type ahead struct {
	mu      sync.Mutex
	reader  sequential.Reader
	from    uint64 // places of chunks: what is left to decode
	to      uint64
	workers int
}

// readAhead notes a request, and decodes the chunks after it in goroutines if it goes
// on where others ended: a reader of large chunks would wait for one processor to decode
// each of them while the others have nothing to do. Chunks go through the cache, where
// the reader finds them or waits for them.
func (d *Dataset) readAhead(x *chunkIndex, off, n uint64) {
	a, cache := &d.ahead, d.f.opt.Cache
	processors := runtime.GOMAXPROCS(0)
	chunk := d.layout.chunkBytes
	// The reader's own chunk and those for the readers of other datasets need room too.
	count := min(uint64(cache.limit)/2, max(window, uint64(processors)*chunk)) / chunk
	if count == 0 || processors == 1 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	moved, ready := a.reader.Ask(int64(off), int64(n))
	if moved {
		a.from, a.to = 0, 0
	}
	if !ready {
		return
	}
	last := d.placeOf(uint64(a.reader.Next()) - 1)
	a.from = max(a.from, last+1)
	chunks, _ := product(1, d.grid)
	a.to = min(last+1+count, chunks)
	for a.workers < processors && uint64(a.workers) < count && a.from+uint64(a.workers) < a.to {
		select {
		case cache.ahead <- struct{}{}:
			a.workers++
			go d.decodeAhead(x)
		default:
			return
		}
	}
}

// decodeAhead decodes one chunk after the other. Its errors are left to the reader, who
// will meet them.
func (d *Dataset) decodeAhead(x *chunkIndex) {
	a, cache := &d.ahead, d.f.opt.Cache
	defer func() { <-cache.ahead }()
	at := make([]uint64, len(d.grid))
	for {
		a.mu.Lock()
		if a.from >= a.to {
			a.workers--
			a.mu.Unlock()
			return
		}
		place := a.from
		a.from++
		a.mu.Unlock()
		position(at, d.grid, place)
		e, ok := x.find(place, at)
		if !ok {
			continue
		}
		if plain, err := d.plain(e, at); err != nil || plain {
			continue
		}
		guarded(func() error {
			_, err := d.load(place, e, false)
			return err
		})
	}
}

// placeOf is the place in the grid of the chunk that holds a byte of the dataset.
func (d *Dataset) placeOf(at uint64) uint64 {
	place, step := uint64(0), uint64(1)
	for i := len(d.dims) - 1; i >= 0; i-- {
		place += at % d.dims[i] / d.chunk[i] * step
		at, step = at/d.dims[i], step*d.grid[i]
	}
	return place
}
