package segment

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// counted counts the reads of a source.
type counted struct {
	*bytes.Reader
	reads int
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	return c.Reader.ReadAt(p, off)
}

// TestRuns reads lists of small ranges, some of which lie behind each other: the bytes
// are those of the parts, and neighbours cost one read together.
func TestRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for round := range 60 {
		src := &counted{Reader: bytes.NewReader(data)}
		var parts []Data
		var want []byte
		at, most := int64(rng.IntN(1000)), []int64{5000, 40_000, 300}[round%3]
		for range 200 {
			n := rng.Int64N(most) + 1
			if round%2 == 1 && rng.IntN(20) == 0 { // somewhere else, also backwards
				at = rng.Int64N(int64(len(data)) / 2)
			}
			at = min(at, int64(len(data))-n)
			parts, want = append(parts, NewRange(src, at, n)), append(want, data[at:at+n]...)
			if at += n + rng.Int64N(300); round%3 == 2 {
				at += rng.Int64N(2000)
			}
		}
		l, err := NewList(parts...)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			off, p := rng.IntN(len(want)), make([]byte, rng.IntN(600_000))
			n, _ := l.ReadAt(p, int64(off))
			if !bytes.Equal(p[:n], want[off:min(len(want), off+len(p))]) {
				t.Fatalf("round %d: other bytes at %d", round, off)
			}
		}
		if src.reads = 0; round%6 == 0 {
			if l.ReadAt(make([]byte, len(want)), 0); src.reads > 10 {
				t.Errorf("%d reads for %d neighbours", src.reads, len(parts))
			}
		}
	}
	// A source that cannot be compared has no runs, and is read all the same.
	l, _ := NewList(&Range{Src: Literal(data), Off: 0, N: 10}, &Range{Src: Literal(data), Off: 12, N: 10})
	if p := make([]byte, 20); !readFully(l, p) || !bytes.Equal(p, append(data[:10:10], data[12:22]...)) {
		t.Error("other bytes of literals")
	}
}

func readFully(d Data, p []byte) bool {
	n, _ := d.ReadAt(p, 0)
	return n == len(p)
}
