package hdf5

import (
	"container/list"
	"runtime"
	"sync"
	"sync/atomic"
)

// DefaultCacheSize is the cap of a ChunkCache that nobody chose.
const DefaultCacheSize = 64 << 20

// ChunkCache keeps decoded chunks, the least recently used of which make way. The
// bytes it holds never exceed its cap, and neither do those being decoded for
// requests, save that one chunk is always let through: a chunk larger than the cap is
// held alone, for whoever goes through it piece by piece would decode it anew for
// each piece. It is safe for concurrent use, and no lock is held while a chunk is read
// or decoded.
type ChunkCache struct {
	limit int64

	mu      sync.Mutex
	held    int64
	chunks  map[chunkKey]*list.Element // of *cachedChunk
	recent  list.List                  // most recently used first
	loading flight[chunkKey, []byte]

	gate gate
	// ahead holds a token for each goroutine that decodes ahead of a reader.
	ahead chan struct{}
}

// fileKey tells apart the files that share a cache.
type fileKey uint64

var lastFileKey atomic.Uint64

func nextFileKey() fileKey { return fileKey(lastFileKey.Add(1)) }

type chunkKey struct {
	file    fileKey
	dataset uint64 // address of its object header
	chunk   uint64 // place in the chunk grid
}

type cachedChunk struct {
	key  chunkKey
	data []byte
}

// NewChunkCache makes a cache that holds up to limit bytes.
func NewChunkCache(limit int64) *ChunkCache {
	c := &ChunkCache{
		limit: limit, chunks: make(map[chunkKey]*list.Element),
		ahead: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	c.gate.limit = limit
	return c
}

// Held is the number of bytes that the cache holds.
func (c *ChunkCache) Held() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}

// get returns a chunk that is in the cache.
func (c *ChunkCache) get(key chunkKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.chunks[key]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(*cachedChunk).data, true
}

// load returns a chunk of n bytes, and calls decode for it if it is neither in the
// cache nor being decoded by another request.
func (c *ChunkCache) load(key chunkKey, n int64, decode func() ([]byte, error)) ([]byte, error) {
	if data, ok := c.get(key); ok {
		return data, nil
	}
	return c.loading.do(key, func() ([]byte, error) {
		if data, ok := c.get(key); ok { // finished between the two looks
			return data, nil
		}
		c.gate.enter(n)
		defer c.gate.leave(n)
		if n > c.limit {
			c.mu.Lock()
			c.evict(n) // what has to go then may as well go before
			c.mu.Unlock()
		}
		data, err := decode()
		if err == nil {
			c.put(key, data)
		}
		return data, err
	})
}

func (c *ChunkCache) put(key chunkKey, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.chunks[key]; ok {
		return
	}
	c.evict(int64(len(data)))
	c.chunks[key] = c.recent.PushFront(&cachedChunk{key, data})
	c.held += int64(len(data))
}

// evict makes room for n bytes, as far as there is any. The caller holds the lock.
func (c *ChunkCache) evict(n int64) {
	for c.held+n > c.limit && c.recent.Len() > 0 {
		old := c.recent.Remove(c.recent.Back()).(*cachedChunk)
		delete(c.chunks, old.key)
		c.held -= int64(len(old.data))
	}
}

// gate bounds the bytes that are being decoded at one time.
type gate struct {
	limit int64

	mu   sync.Mutex
	used int64
	wait sync.Cond
}

// enter waits until n more bytes fit, or until nothing else is inside.
func (g *gate) enter(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait.L == nil {
		g.wait.L = &g.mu
	}
	for g.used != 0 && g.used+n > g.limit {
		g.wait.Wait()
	}
	g.used += n
}

func (g *gate) leave(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used -= n
	if g.wait.L != nil {
		g.wait.Broadcast()
	}
}

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
	w := &flown[V]{done: make(chan struct{})}
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
