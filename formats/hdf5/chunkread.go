package hdf5

import (
	"runtime"
	"slices"
	"sync"
)

const (
	// minParallel is the size of a chunk below which its decoding is not worth a
	// goroutine of its own.
	minParallel = 16 << 10
	// minAhead is the size from which chunks are decoded ahead of a sequential reader.
	// Smaller ones come several to a request and are decoded side by side.
	minAhead = 256 << 10
)

// readChunks fills p with the dataset's bytes from off. The range lies inside.
func (d *Dataset) readChunks(p []byte, off int64) error {
	x, err := d.chunks()
	if err != nil {
		return err
	}
	r := &chunkRead{d: d, x: x, p: p, start: uint64(off)}
	if len(d.filters) > 0 && d.layout.chunkBytes >= minParallel {
		if n := runtime.GOMAXPROCS(0); n > 1 {
			r.tokens = make(chan struct{}, n-1)
		}
		if d.layout.chunkBytes >= minAhead {
			d.readAhead(x, r.start, uint64(len(p)))
		}
	}
	defer r.wait.Wait() // nothing writes to p behind the caller's back, come what may
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

	tokens chan struct{} // for goroutines beside the caller's; nil for none
	wait   sync.WaitGroup
	mu     sync.Mutex
	err    error // of one of them
}

// part copies what a request wants of one chunk.
func (r *chunkRead) part(p *part) error {
	d := r.d
	e, ok := r.x.find(p.place, p.at)
	if !ok {
		return p.runs(d.dims, d.chunk, func(_, inArray, n uint64) error {
			fill(r.p[inArray-r.start:][:n], d.fill, int64(inArray))
			return nil
		})
	}
	plain, err := d.plain(e, p.at)
	if err != nil {
		return err
	}
	if plain && (p.single(d.dims, d.chunk) || int64(d.layout.chunkBytes) > d.f.opt.Cache.limit) {
		return p.runs(d.dims, d.chunk, func(inChunk, inArray, n uint64) error {
			return d.readStored(r.p[inArray-r.start:][:n], e, inChunk)
		})
	}
	if data, ok := d.f.opt.Cache.get(d.key(p.place)); ok {
		return r.copy(p, data)
	}
	return r.beside(p, func(p *part) error { return r.decode(p, e, plain) })
}

// beside does the work of a part in a goroutine, if a token is left for one.
func (r *chunkRead) beside(p *part, work func(*part) error) error {
	select {
	case r.tokens <- struct{}{}:
	default:
		return work(p)
	}
	r.mu.Lock()
	err := r.err
	r.mu.Unlock()
	if err != nil {
		<-r.tokens
		return err
	}
	q := &part{p.place, slices.Clone(p.at), slices.Clone(p.lo), slices.Clone(p.size), p.whole}
	r.wait.Go(func() {
		defer func() { <-r.tokens }()
		if err := guarded(func() error { return work(q) }); err != nil {
			r.mu.Lock()
			r.err = err
			r.mu.Unlock()
		}
	})
	return nil
}

// decode decodes a chunk and copies a part of it.
func (r *chunkRead) decode(p *part, e chunkEntry, plain bool) error {
	d := r.d
	if !p.whole || d.layout.chunkBytes >= minAhead {
		data, err := d.load(p.place, e, plain)
		if err != nil {
			return err
		}
		return r.copy(p, data)
	}
	// Nobody will ask for this chunk again soon: it goes around the cache.
	if p.single(d.dims, d.chunk) {
		return p.runs(d.dims, d.chunk, func(_, inArray, n uint64) error {
			return d.decode(r.p[inArray-r.start:][:n], e, plain)
		})
	}
	held := borrow(int(d.layout.chunkBytes))
	defer giveBack(held)
	if err := d.decode(*held, e, plain); err != nil {
		return err
	}
	return r.copy(p, *held)
}

// copy takes a part out of the bytes of its chunk.
func (r *chunkRead) copy(p *part, data []byte) error {
	return p.runs(r.d.dims, r.d.chunk, func(inChunk, inArray, n uint64) error {
		copy(r.p[inArray-r.start:][:n], data[inChunk:])
		return nil
	})
}

// plain reports whether a chunk lies in the file as it is.
func (d *Dataset) plain(e chunkEntry, at []uint64) (bool, error) {
	plain := len(d.filters) == 0 || d.layout.plainEdges && d.overEdge(at)
	if plain && uint64(e.size) != d.layout.chunkBytes {
		return false, &FormatError{d.f.offset(e.addr), "chunk: an unfiltered chunk has another size"}
	}
	return plain, nil
}

// overEdge reports whether a chunk reaches over the edge of the dataset.
func (d *Dataset) overEdge(at []uint64) bool {
	for i := range at {
		if (at[i]+1)*d.chunk[i] > d.dims[i] {
			return true
		}
	}
	return false
}

func (d *Dataset) key(place uint64) chunkKey { return chunkKey{d.f, d.addr, place} }

// load returns a decoded chunk by way of the cache.
func (d *Dataset) load(place uint64, e chunkEntry, plain bool) ([]byte, error) {
	n := int64(d.layout.chunkBytes)
	cost := n
	if !plain {
		cost += int64(e.size)
		cost += n * int64(min(2, max(0, len(d.filters)-1))) // between two of them
	}
	return d.f.opt.Cache.load(d.key(place), cost, func() ([]byte, error) {
		b := make([]byte, n)
		return b, d.decode(b, e, plain)
	})
}

// decode fills dst with a whole chunk.
func (d *Dataset) decode(dst []byte, e chunkEntry, plain bool) error {
	if plain {
		return d.readStored(dst, e, 0)
	}
	return d.decodeChunk(dst, e)
}
