package deflate

import (
	"bytes"
	"compress/flate"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestPointsAreShared marks more points in many streams than there may be: none is left
// without, and all that are counted are there.
func TestPointsAreShared(t *testing.T) {
	cache := NewCache()
	var streams []*Stream
	const size = 64 << 20
	for range 100 {
		s := New(cache, nil, 0, size)
		s.mu.Lock()
		streams = append(streams, s)
		for pos := int64(1 << 20); pos < size; pos += 1 << 20 {
			last := int64(0)
			if n := len(s.points); n > 0 {
				last = s.points[n-1].pos
			}
			if pos >= last+max(1<<20, s.sparse) && cache.points.add(s) {
				s.points = append(s.points, point{state: state{pos: pos}})
			}
		}
		s.mu.Unlock()
	}
	total := 0
	for i, s := range streams {
		total += len(s.points)
		if len(s.points) < 4 {
			t.Errorf("stream %d has %d points", i, len(s.points))
		}
		last := int64(0)
		for _, p := range append(s.points, point{state: state{pos: size}}) {
			if gap := p.pos - last; gap <= 0 || gap > size/3 {
				t.Errorf("stream %d: a jump backwards decodes %d bytes", i, gap)
			}
			last = p.pos
		}
	}
	if total > maxPoints || total != cache.points.total {
		t.Errorf("%d points, %d are counted", total, cache.points.total)
	}
}

// counted is a source that counts the bytes that are read.
type counted struct {
	*bytes.Reader
	bytes atomic.Int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.Reader.ReadAt(p, off)
}

// TestBackwards reads a stream from its end to its beginning: what is decoded for it is a few times the stream, and not
// the stream for each block.
func TestBackwards(t *testing.T) {
	data := bytes.Repeat(samples()["floats"][:3_000_000], 16) // more than is kept
	packed := compress(t, flate.BestSpeed, data)
	src := &counted{Reader: bytes.NewReader(packed)}
	s := New(nil, src, int64(len(packed)), int64(len(data)))
	for off := len(data) - blockSize; off >= 0; off -= blockSize {
		p := make([]byte, blockSize)
		if n, err := s.ReadAt(p, int64(off)); n != len(p) || !bytes.Equal(p, data[off:off+n]) {
			t.Fatalf("at %d: %v", off, err)
		}
	}
	if n := src.bytes.Load(); n > 4*int64(len(packed)) {
		t.Errorf("%d bytes were decoded, the stream has %d", n, len(packed))
	}
}

// TestReadAhead reads the beginning of a stream in order: what comes next gets decoded
// without being asked for, but nothing when reads jump.
func TestReadAhead(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	data := bytes.Repeat(samples()["floats"][:3_000_000], 8)
	packed := compress(t, flate.BestSpeed, data)
	cached := func(s *Stream) (n int) {
		for i := range s.size / blockSize {
			if _, ok := s.cache.decoded.Get(blockKey{s, i}); ok {
				n++
			}
		}
		return n
	}
	s := open(packed, len(data))
	p := make([]byte, 256<<10)
	for off := int64(0); off < 1<<20; off += int64(len(p)) {
		if _, err := s.ReadAt(p, off); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); cached(s) < (1<<20+window)/blockSize; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d blocks are decoded, of which 4 were read", cached(s))
		}
	}
	time.Sleep(50 * time.Millisecond)
	if n := cached(s); n > (1<<20+window)/blockSize {
		t.Errorf("%d blocks are decoded", n)
	}
	s = open(packed, len(data))
	for _, off := range []int64{20 << 20, 12 << 20, 4 << 20, 16 << 20} {
		if _, err := s.ReadAt(p, off); err != nil {
			t.Fatal(err)
		}
	}
	s.ahead.mu.Lock()
	defer s.ahead.mu.Unlock()
	if s.ahead.working || s.ahead.until != 0 {
		t.Error("reads that jump are decoded ahead of")
	}
}
