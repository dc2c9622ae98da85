package segment

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
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

// halfCached has the first bytes of a source in memory, and no others.
type halfCached struct {
	*bytes.Reader
	cached int64
}

func (h *halfCached) ReadCached(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > h.cached {
		return 0, ErrNotCached
	}
	return h.ReadAt(p, off)
}

// TestReadCached reads lists whose source is in memory in part: what is read are the
// bytes of ReadAt, or nothing.
func TestReadCached(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	src := &halfCached{bytes.NewReader(data), int64(len(data)) / 2}
	parts := []Data{Literal("a header")}
	for at := int64(0); at < int64(len(data))-100_000; at += rng.Int64N(2000) {
		n := rng.Int64N([]int64{100, 5000, 80_000}[rng.IntN(3)])
		parts = append(parts, NewRange(src, at, n))
		at += n
	}
	l, err := NewList(parts...)
	if err != nil {
		t.Fatal(err)
	}
	cached := 0
	for range 2000 {
		off := rng.Int64N(l.Size())
		p, want := make([]byte, rng.IntN(100_000)), make([]byte, 100_000)
		k, wantErr := l.ReadAt(want[:len(p)], off)
		n, err := ReadCached(l, p, off)
		if errors.Is(err, ErrNotCached) {
			continue
		}
		if n != k || err != wantErr || !bytes.Equal(p[:n], want[:k]) {
			t.Fatalf("at %d: %d bytes, %v; want %d, %v", off, n, err, k, wantErr)
		}
		cached++
	}
	if cached < 500 || cached > 1500 {
		t.Errorf("%d of 2000 reads were cached", cached)
	}
	for from, want := range map[Data]error{
		NewRange(strings.NewReader("01234567"), 0, 8): ErrNotCached, NewRange(&Range{Src: Literal("01234567"), N: 8}, 0, 8): nil,
	} {
		swapped, _ := NewList(Literal("a"), Swap(from, 4))
		p := make([]byte, 9)
		if _, err := ReadCached(swapped, p, 0); err != want || err == nil && string(p) != "a32107654" {
			t.Errorf("a part that is worked out: %q, %v", p, err)
		}
	}
}

// TestRuns reads lists of small ranges, some of which follow each other in the source: the bytes
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

// stuck is a source whose reads end only when nobody waits for them.
type stuck struct{ started chan struct{} }

func (s stuck) ReadAt(p []byte, off int64) (int, error) { select {} }

func (s stuck) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	close(s.started)
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

// TestReadUntil gives up a read that hangs in a source below three composites.
func TestReadUntil(t *testing.T) {
	src := stuck{make(chan struct{})}
	strided, err := NewStrided(nil, src, 64, 0, 4, []int64{4, 4}, []int64{1, 4})
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewList(Literal("header"), Swap(strided, 4))
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		<-src.started
		cancel(gone)
	}()
	if _, err := ReadUntil(ctx)(l, make([]byte, l.Size()), 0); err != gone {
		t.Errorf("a read that was given up: %v", err)
	}
	if _, err := ReadUntil(ctx)(Literal("x"), make([]byte, 1), 0); err != gone {
		t.Errorf("a read after that: %v", err)
	}
}

// TestOrigin follows bytes down to where they are.
func TestOrigin(t *testing.T) {
	disk := &struct{ Data }{Literal("0123456789")} // not a Literal by itself
	l, err := NewList(Literal("ab"), NewRange(disk, 4, 3), Swap(NewRange(disk, 0, 2), 2), disk)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRange(l, 1, l.Size()-3)
	for off, want := range map[int64][2]int64{-1: {}, 0: {}, 1: {4, 3}, 3: {6, 1}, 4: {}, 6: {0, 8}, 13: {7, 1}, 14: {}} {
		src, at, n := Origin(r, off)
		if [2]int64{at, n} != want || (n > 0) != (src == io.ReaderAt(disk)) {
			t.Errorf("Origin(%d) = %v, %d, %d, want %v", off, src, at, n, want)
		}
	}
}
