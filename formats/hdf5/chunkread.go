package hdf5

import (
	"runtime"
	"slices"
	"sync"
)

// minParallel is the size of a chunk below which its decoding is not worth a
// goroutine of its own.
const minParallel = 64 << 10

// readChunks fills p with the dataset's bytes from off. The range lies inside.
func (d *Dataset) readChunks(p []byte, off int64) error {
	x, err := d.chunks()
	if err != nil {
		return err
	}
	r := &chunkRead{d: d, x: x, p: p, start: uint64(off)}
	if len(d.filters) > 0 && uint64(len(p)) > d.layout.chunkBytes && d.layout.chunkBytes >= minParallel {
		if n := runtime.GOMAXPROCS(0); n > 1 {
			r.tokens = make(chan struct{}, n-1)
		}
	}
	err = boxes(d.dims, r.start, r.start+uint64(len(p)), func(b box, _ uint64) error {
		return parts(b, d.chunk, d.grid, r.part)
	})
	r.wait.Wait()
	if err != nil {
		return err
	}
	return r.err
}

// chunkRead is one request.
type chunkRead struct {
	d     *Dataset
	x     *chunkIndex
	p     []byte
	start uint64 // of p in the dataset

	tokens chan struct{} // for goroutines beside the caller's
	wait   sync.WaitGroup
	mu     sync.Mutex
	err    error // of one of them

	// The last chunk that was too large for the cache: the boxes of a request often
	// share one.
	largePlace uint64
	large      []byte
}

func (r *chunkRead) part(p *part) error {
	if r.tokens == nil {
		return r.one(p)
	}
	r.mu.Lock()
	err := r.err
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if !p.whole {
		return r.one(p) // may use what is not safe to share
	}
	select {
	case r.tokens <- struct{}{}:
	default:
		return r.one(p)
	}
	q := &part{p.place, slices.Clone(p.at), slices.Clone(p.lo), slices.Clone(p.size), p.whole}
	r.wait.Go(func() {
		defer func() { <-r.tokens }()
		if err := r.one(q); err != nil {
			r.mu.Lock()
			r.err = err
			r.mu.Unlock()
		}
	})
	return nil
}

// one copies what a request wants of one chunk.
func (r *chunkRead) one(p *part) error {
	d := r.d
	e, ok := r.x.find(p.place, p.at)
	if !ok {
		return p.runs(d.dims, d.chunk, func(_, inArray, n uint64) error {
			fill(r.p[inArray-r.start:][:n], d.fill, int64(inArray))
			return nil
		})
	}
	plain := len(d.filters) == 0 || d.layout.plainEdges && d.overEdge(p.at)
	if plain && uint64(e.size) != d.layout.chunkBytes {
		return &FormatError{d.f.offset(e.addr), "chunk: an unfiltered chunk has another size"}
	}
	if plain && (p.single(d.dims, d.chunk) || int64(d.layout.chunkBytes) > d.f.opt.Cache.limit) {
		return p.runs(d.dims, d.chunk, func(inChunk, inArray, n uint64) error {
			return d.readStored(r.p[inArray-r.start:][:n], e, inChunk)
		})
	}
	key := chunkKey{d.f.identity, d.addr, p.place}
	data, cached := d.f.opt.Cache.get(key)
	switch {
	case cached:
	case p.whole:
		// Nobody will ask for this chunk again soon: it goes around the cache.
		if p.single(d.dims, d.chunk) {
			return p.runs(d.dims, d.chunk, func(_, inArray, n uint64) error {
				return d.decode(r.p[inArray-r.start:][:n], e, plain)
			})
		}
		gate := &d.f.opt.Cache.gate
		gate.enter(int64(d.layout.chunkBytes))
		defer gate.leave(int64(d.layout.chunkBytes))
		held := borrow(int(d.layout.chunkBytes))
		defer giveBack(held)
		data = *held
		if err := d.decode(data, e, plain); err != nil {
			return err
		}
	case r.large != nil && r.largePlace == p.place:
		data = r.large
	default:
		r.large = nil
		var err error
		n := int64(d.layout.chunkBytes)
		data, err = d.f.opt.Cache.load(key, n, func() ([]byte, error) {
			b := make([]byte, n)
			return b, d.decode(b, e, plain)
		})
		if err != nil {
			return err
		}
		if n > d.f.opt.Cache.limit {
			r.large, r.largePlace = data, p.place
		}
	}
	return p.runs(d.dims, d.chunk, func(inChunk, inArray, n uint64) error {
		copy(r.p[inArray-r.start:][:n], data[inChunk:])
		return nil
	})
}

// decode fills dst with a whole chunk.
func (d *Dataset) decode(dst []byte, e chunkEntry, plain bool) error {
	if plain {
		return d.readStored(dst, e, 0)
	}
	return d.decodeChunk(dst, e)
}

// overEdge says whether a chunk reaches over the edge of the dataset.
func (d *Dataset) overEdge(at []uint64) bool {
	for i := range at {
		if (at[i]+1)*d.chunk[i] > d.dims[i] {
			return true
		}
	}
	return false
}
