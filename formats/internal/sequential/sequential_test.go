package sequential

import "testing"

func TestReader(t *testing.T) {
	const piece = 128 << 10
	for name, c := range map[string]struct {
		offsets      []int64
		moved, ready bool // at the last
		next         int64
	}{
		"the head":       {[]int64{0, piece}, false, false, 2 * piece},
		"in order":       {[]int64{0, piece, 2 * piece, 3 * piece, 4 * piece}, false, true, 5 * piece},
		"overtaken":      {[]int64{piece, 0, 3 * piece, 2 * piece, 4 * piece}, false, true, 5 * piece},
		"gone on":        {[]int64{0, piece, 2 * piece, 3 * piece, 64 << 20}, true, false, 64<<20 + piece},
		"gone back":      {[]int64{64 << 20, 64<<20 + piece, 0}, true, false, piece},
		"from the midst": {[]int64{64 << 20}, true, false, 64<<20 + piece},
	} {
		var r Reader
		var moved, ready bool
		for _, off := range c.offsets {
			moved, ready = r.Ask(off, piece)
		}
		if moved != c.moved || ready != c.ready || r.Next() != c.next {
			t.Errorf("%s: %v, %v, %d", name, moved, ready, r.Next())
		}
	}
}
