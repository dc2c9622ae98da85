package hdf5

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"wfs/formats/internal/lru"
)

// DefaultCacheSize is the cap of a ChunkCache that nobody chose.
const DefaultCacheSize = 64 << 20

// ChunkCache keeps decoded chunks, the least recently used of which make way. What it
// holds and what is being decoded for it, with the buffers between two filters, never
// take more than its cap together, save that one chunk is always let through: a chunk
// larger than the cap is held alone, for whoever goes through it piece by piece would
// decode it anew for each piece. It is safe for concurrent use, and no lock is held
// while a chunk is read or decoded.
type ChunkCache struct {
	limit int64

	turn     sync.Mutex // held by the one who waits for room
	mu       sync.Mutex
	chunks   lru.Cache[chunkKey, byte]
	reserved int64     // bytes of what is being decoded
	freed    sync.Cond // on mu: reserved has become less
	loading  flight[chunkKey, []byte]

	// ahead holds a token for each goroutine that decodes ahead of a reader.
	ahead chan struct{}
}

type chunkKey struct {
	file    *File  // of those that share the cache
	dataset uint64 // address of its object header
	chunk   uint64 // place in the chunk grid
}

// NewChunkCache makes a cache that holds up to limit bytes.
func NewChunkCache(limit int64) *ChunkCache {
	c := &ChunkCache{limit: limit, ahead: make(chan struct{}, runtime.GOMAXPROCS(0))}
	c.freed.L = &c.mu
	return c
}

// Held is the number of bytes that the cache holds.
func (c *ChunkCache) Held() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chunks.Held()
}

// get returns a chunk that is in the cache.
func (c *ChunkCache) get(key chunkKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chunks.Get(key)
}

// load returns a chunk, and calls decode for it, which takes cost bytes, if it is
// neither in the cache nor being decoded by another request.
func (c *ChunkCache) load(key chunkKey, cost int64, decode func() ([]byte, error)) ([]byte, error) {
	if data, ok := c.get(key); ok {
		return data, nil
	}
	return c.loading.do(key, func() ([]byte, error) {
		if data, ok := c.get(key); ok { // finished between the two looks
			return data, nil
		}
		c.reserve(cost)
		data, err := []byte(nil), errPanic
		defer func() { c.settle(key, data, cost, err) }()
		data, err = decode()
		return data, err
	})
}

// reserve waits until half of the cache has room for what is to be decoded, or until
// nothing else is, and drops what the whole has no room for. Readers that go through
// chunks bit by bit need the other half.
func (c *ChunkCache) reserve(cost int64) {
	c.turn.Lock() // or small chunks would slip past a large one for ever
	defer c.turn.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.reserved != 0 && c.reserved+cost > c.limit/2 {
		c.freed.Wait()
	}
	c.evict(cost)
	c.reserved += cost
}

// settle ends a reservation and keeps the chunk that came of it.
func (c *ChunkCache) settle(key chunkKey, data []byte, cost int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved -= cost
	c.freed.Broadcast()
	if err != nil {
		return
	}
	c.evict(int64(len(data)))
	c.chunks.Put(key, data)
}

// evict makes room for n bytes, as far as there is any. The caller holds the lock.
func (c *ChunkCache) evict(n int64) { c.chunks.Shrink(c.limit - c.reserved - n) }

// flight lets one caller do what several want at the same time.
type flight[K comparable, V any] struct {
	mu    sync.Mutex
	under map[K]*flown[V]
}

type flown[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// errPanic is what those get that waited for a call that panicked.
var errPanic = errors.New("hdf5: decoding panicked")

// guarded makes an error of a panic, a bug, which in a goroutine without a caller would
// end the process.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, r, debug.Stack())
		}
	}()
	return f()
}

// do calls f, or waits for the call for the same key that is under way. Nothing is
// remembered afterwards, so an error of the source can pass.
func (g *flight[K, V]) do(key K, f func() (V, error)) (V, error) {
	g.mu.Lock()
	if w, ok := g.under[key]; ok {
		g.mu.Unlock()
		<-w.done
		return w.value, w.err
	}
	if g.under == nil {
		g.under = make(map[K]*flown[V])
	}
	w := &flown[V]{done: make(chan struct{}), err: errPanic}
	g.under[key] = w
	g.mu.Unlock()

	defer func() {
		g.mu.Lock()
		delete(g.under, key)
		g.mu.Unlock()
		close(w.done)
	}()
	w.value, w.err = f()
	return w.value, w.err
}
