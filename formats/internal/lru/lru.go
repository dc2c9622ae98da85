// Package lru keeps decoded bytes, the least recently used of which make way.
package lru

import "container/list"

// Cache holds byte slices by a key, in the order of their last use. The zero value is
// empty. It is not safe for concurrent use, because those who use it have more to count
// under their lock.
type Cache[K comparable] struct {
	held   int64
	items  map[K]*list.Element // of entry[K]
	recent list.List           // most recently used first
}

type entry[K comparable] struct {
	key  K
	data []byte
}

// Get returns what is kept under a key, and counts that as a use.
func (c *Cache[K]) Get(key K) ([]byte, bool) {
	e, ok := c.items[key]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(e)
	return e.Value.(entry[K]).data, true
}

// Put keeps data under a key that has none.
func (c *Cache[K]) Put(key K, data []byte) {
	if c.items == nil {
		c.items = map[K]*list.Element{}
	}
	c.items[key] = c.recent.PushFront(entry[K]{key, data})
	c.held += int64(len(data))
}

// Shrink drops what was used least recently until no more than limit bytes are held.
func (c *Cache[K]) Shrink(limit int64) {
	for c.held > limit && c.recent.Len() > 0 {
		old := c.recent.Remove(c.recent.Back()).(entry[K])
		delete(c.items, old.key)
		c.held -= int64(len(old.data))
	}
}

// Held is the bytes of all that is kept.
func (c *Cache[K]) Held() int64 { return c.held }
