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
