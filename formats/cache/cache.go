// Package cache keeps decoded bytes, the least recently used of which make way.
package cache

import (
	"container/list"
	"sync"
)

// Key names a run of bytes: the Index-th of an Owner, which is a pointer.
type Key struct {
	Owner any
	Index int64
}

// Cache holds up to a number of bytes. It is safe for concurrent use.
type Cache struct {
	limit int64

	mu     sync.Mutex
	held   int64
	items  map[Key]*list.Element // of *item
	recent list.List             // most recently used first
}

type item struct {
	key  Key
	data []byte
}

// New makes a cache that holds up to limit bytes.
func New(limit int64) *Cache {
	return &Cache{limit: limit, items: make(map[Key]*list.Element)}
}

// Get returns bytes that are in the cache. They are not to be changed.
func (c *Cache) Get(key Key) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(*item).data, true
}

// Put keeps bytes, which are not to be changed from then on. Bytes over the limit are
// not kept.
func (c *Cache) Put(key Key, data []byte) {
	n := int64(len(data))
	if n > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok {
		return
	}
	for c.held+n > c.limit {
		last := c.recent.Back()
		old := last.Value.(*item)
		c.recent.Remove(last)
		delete(c.items, old.key)
		c.held -= int64(len(old.data))
	}
	c.items[key] = c.recent.PushFront(&item{key, data})
	c.held += n
}

// Held is the number of bytes in the cache.
func (c *Cache) Held() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}
