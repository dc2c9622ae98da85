// Package lru keeps what was decoded, the least recently used of which makes way.
package lru

import (
	"container/list"
	"unsafe"
)

// Cache holds slices by a key, in the order of their last use. The zero value is
// empty. It is not safe for concurrent use, for those who have more to count under their
// lock; others have a Shared.
type Cache[K comparable, E any] struct {
	held   int64               // bytes
	items  map[K]*list.Element // of entry[K, E]
	recent list.List           // most recently used first
}

type entry[K comparable, E any] struct {
	key  K
	data []E
}

func (e entry[K, E]) size() int64 { return int64(len(e.data)) * int64(unsafe.Sizeof(*new(E))) }

// Get returns what is kept under a key, and counts that as a use.
func (c *Cache[K, E]) Get(key K) ([]E, bool) {
	e, ok := c.items[key]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(entry[K, E]).data, true
}

// Put keeps data under a key that has none.
func (c *Cache[K, E]) Put(key K, data []E) {
	if c.items == nil {
		c.items = map[K]*list.Element{}
	}
	e := entry[K, E]{key, data}
	c.items[key] = c.recent.PushFront(e)
	c.held += e.size()
}

// Shrink drops what was used least recently until no more than limit bytes are held.
func (c *Cache[K, E]) Shrink(limit int64) {
	for c.held > limit && c.recent.Len() > 0 {
		old := c.recent.Remove(c.recent.Back()).(entry[K, E])
		delete(c.items, old.key)
		c.held -= old.size()
	}
}

// Held is the bytes of all that is kept.
func (c *Cache[K, E]) Held() int64 { return c.held }
