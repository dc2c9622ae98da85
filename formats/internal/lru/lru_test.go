package lru

import "testing"

func TestLRU(t *testing.T) {
	var c Cache[int, byte]
	for key := range 5 {
		c.Put(key, make([]byte, 10))
	}
	if _, ok := c.Get(0); !ok || c.Held() != 50 {
		t.Fatalf("%d bytes held", c.Held())
	}
	c.Shrink(25)
	for key, want := range map[int]bool{0: true, 1: false, 2: false, 3: false, 4: true} {
		if _, ok := c.Get(key); ok != want {
			t.Errorf("entry %d is there: %v", key, ok)
		}
	}
	if c.Shrink(0); c.Held() != 0 {
		t.Errorf("%d bytes held", c.Held())
	}
	if c.Shrink(-1); c.Held() != 0 {
		t.Errorf("%d bytes held", c.Held())
	}
}

func TestShared(t *testing.T) {
	s := Shared[int, byte]{Limit: 25}
	first := s.Put(1, make([]byte, 10))
	if again := s.Put(1, make([]byte, 10)); &again[0] != &first[0] || s.Held() != 10 {
		t.Errorf("the second of a key is kept: %d bytes held", s.Held())
	}
	s.Put(2, make([]byte, 10))
	s.Get(1)
	s.Put(3, make([]byte, 10))
	if _, ok := s.Get(2); ok || s.Held() != 20 {
		t.Errorf("%d bytes held", s.Held())
	}
	if got, ok := s.Get(1); !ok || &got[0] != &first[0] {
		t.Error("what was used lately is gone")
	}
}
