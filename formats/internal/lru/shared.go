package lru

import "sync"

// Shared is a Cache of Limit bytes that is safe for concurrent use.
type Shared[K comparable, E any] struct {
	Limit int64

	mu    sync.Mutex
	cache Cache[K, E]
}

// Get returns what is kept under a key, and counts that as a use.
func (s *Shared[K, E]) Get(key K) ([]E, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cache.Get(key)
}

// Put keeps data under a key, or what is there: two may have made the same at once. It returns
// what is kept.
func (s *Shared[K, E]) Put(key K, data []E) []E {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.cache.Get(key); ok {
		return other
	}
	s.cache.Put(key, data)
	s.cache.Shrink(s.Limit)
	return data
}

// Held is the bytes of all that is kept.
func (s *Shared[K, E]) Held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cache.Held()
}
