package adapter

import (
	"sync"

	"wfs/formats/internal/lru"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// work is what one request needs for its time: the way it reads, and scratch memory.
type work struct {
	read   segment.ReadFunc
	arena  []float32
	used   int
	narrow []byte
}

var works = sync.Pool{New: func() any { return new(work) }}

// begin takes scratch memory; end gives it back.
func begin(read segment.ReadFunc) *work {
	w := works.Get().(*work)
	w.read, w.used = read, 0
	return w
}

// mostArena is the most numbers of scratch memory that are kept between requests.
const mostArena = 4 << 20

func (w *work) end() {
	w.read = nil
	if len(w.arena) > mostArena {
		w.arena = nil
	}
	if cap(w.narrow) > 4*mostArena {
		w.narrow = nil
	}
	works.Put(w)
}

// floats are n numbers of any value, until used is set back to what it was.
func (w *work) floats(n int) []float32 {
	if w.used+n > len(w.arena) { // what was given out stays where it is
		w.arena = make([]float32, max(2*len(w.arena), n, 1<<16))
		w.used = 0
	}
	f := w.arena[w.used : w.used+n : w.used+n]
	w.used += n
	return f
}

// matrix is floats as rows.
func (w *work) matrix(rows, cols int) ops.Matrix {
	return ops.Matrix{Data: w.floats(rows * cols), Rows: rows, Cols: cols, Stride: cols}
}

// bytes are n bytes, until the next call.
func (w *work) bytes(n int) []byte {
	if cap(w.narrow) < n {
		w.narrow = make([]byte, n)
	}
	return w.narrow[:n]
}

// Bounds of what is held in float32: of one factor, and of all of an adapter.
const (
	mostHeld = 64 << 20
	holds    = 256 << 20
)

// cache holds factors and norms by what they are of.
type cache struct{ held lru.Shared[any, float32] }

// keep returns what is held for key, or makes it. Two requests may make the same at once:
// neither waits for the other, because one of them may want to give up.
func (c *cache) keep(key any, make func() ([]float32, error)) ([]float32, error) {
	if f, ok := c.held.Get(key); ok {
		return f, nil
	}
	f, err := make()
	if err != nil {
		return nil, err
	}
	return c.held.Put(key, f), nil
}
