// Package deflate reads deflate streams (RFC 1951) at any offset, and small ones whole.
//
// A stream is decoded in blocks of output, in order. What was decoded lately is kept, and
// at intervals so is the state of the decoder (a point): a jump backwards goes on from the
// nearest of these, as in zlib's examples/zran.c.
//
// # Why not a library
//
// compress/flate reads from the beginning only. A tensor that is mapped and faulted in from
// many places at once would cost its own size for every page.
//
// github.com/klauspost/compress/flate has checkpoints since 2026 (its pull request 1154:
// WithEobCallback, WithResumeFrom), but a program gets them at the ends of deflate blocks,
// and the writer of a stream decides how long a block is: 16 MiB of output in one block have
// one checkpoint, at the end. Points of this package lie within blocks too, so that the work
// for a page does not depend on how the stream was cut. A callback also makes a copy of the
// 32 KiB window for every block, whether it is wanted or not, and output arrives through an
// io.Reader, where this package decodes into the block that it keeps.
//
// The decoder is faster on weights. On a machine with two cores, MB of output a second, the
// best of seven runs (klauspost/compress v1.20.4, Go 1.26):
//
//	                                this package   klauspost   compress/flate
//	noise in float32                         225         168               95
//	noise in bfloat16                        169          97               70
package deflate

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sort"
	"sync"

	"wfs/formats/internal/lru"
)

const (
	// blockSize is how much output is decoded and kept at once.
	blockSize = 256 << 10
	// cacheSize is the most that all streams of a mount keep of their output together.
	cacheSize = 32 << 20
	// maxPoints is the most points that they keep together; each takes 33 KiB.
	maxPoints = 1024
	// pointsPerStream is how many a long stream has; a short one has one for each MiB.
	pointsPerStream = 64
	// maxIdle is how many streams keep a decoder for the next request; each takes half a MiB.
	maxIdle = 16
	// near is how many blocks a request may skip and still keep: reads ahead of each
	// other arrive in any order.
	near = 16
)

// Cache is what the streams of one mount keep between requests, within its bounds. It is
// safe for concurrent use; nil keeps to each stream alone.
type Cache struct {
	decoded lru.Shared[blockKey, byte] // the blocks that were decoded lately
	points  marked
	idle    idleStreams
	// ahead holds a token for each goroutine that decodes ahead of a reader.
	ahead chan struct{}
}

// NewCache makes an empty Cache.
func NewCache() *Cache {
	return &Cache{decoded: lru.Shared[blockKey, byte]{Limit: cacheSize}, ahead: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// blockKey is a block of the output of a stream.
type blockKey struct {
	stream *Stream
	index  int64
}

// Stream is the output of a deflate stream. It implements segment.Data and is safe for
// concurrent use.
type Stream struct {
	cache      *Cache
	src        io.ReaderAt
	compressed int64
	size       int64

	// mu is held while the stream is decoded: its bytes come in order, so whoever wants
	// later ones waits for the earlier ones anyway.
	mu      sync.Mutex
	decoder *decoder
	points  []point // by their place in the output
	sparse  int64   // how far apart points are at least, where some were given up; 0 at first

	ahead ahead
}

// point is where decoding can go on.
type point struct {
	state
	around []byte
}

// New reads the stream that src holds in its first compressed bytes, and that inflates
// to size bytes. What is decoded is kept in cache.
func New(cache *Cache, src io.ReaderAt, compressed, size int64) *Stream {
	if cache == nil {
		cache = NewCache()
	}
	return &Stream{cache: cache, src: src, compressed: compressed, size: size}
}

// Size is the number of bytes of the output.
func (s *Stream) Size() int64 { return s.size }

// ReadAt implements io.ReaderAt. A damaged stream, or one that inflates to another size,
// is an error where that shows.
func (s *Stream) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("negative offset %d", off)
	}
	if off < s.size {
		s.readAhead(off, int64(len(p)))
	}
	done := 0
	for done < len(p) {
		at := off + int64(done)
		if at >= s.size {
			return done, io.EOF
		}
		block, err := s.block(at / blockSize)
		if err != nil {
			return done, err
		}
		done += copy(p[done:], block[at%blockSize:])
	}
	return done, nil
}

// block returns the index-th block of the output.
func (s *Stream) block(index int64) ([]byte, error) {
	key := blockKey{s, index}
	if b, ok := s.cache.decoded.Get(key); ok {
		return b, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.cache.decoded.Get(key); ok { // decoded meanwhile
		return b, nil
	}
	if err := s.seek(index * blockSize); err != nil {
		return nil, err
	}
	for {
		at := s.decoder.pos
		out, err := s.decoder.next()
		if err == nil && int64(len(out)) != min(blockSize, s.size-at) {
			err = fmt.Errorf("the deflate stream does not inflate to %d bytes", s.size)
		}
		if err != nil {
			s.release()
			return nil, err
		}
		s.mark()
		i := at / blockSize
		if index-i >= near {
			continue
		}
		b := bytes.Clone(out)
		s.cache.decoded.Put(blockKey{s, i}, b)
		if i == index {
			s.cache.idle.add(s)
			return b, nil
		}
	}
}

// seek makes a decoder that stands at or before an offset of the output: the one that
// is there, or one that goes on from a point, whichever is nearer.
func (s *Stream) seek(off int64) error {
	i := sort.Search(len(s.points), func(i int) bool { return s.points[i].pos > off }) - 1
	from := point{}
	if i >= 0 {
		from = s.points[i]
	}
	if s.decoder != nil && s.decoder.pos <= off && s.decoder.pos >= from.pos {
		return nil
	}
	if s.decoder == nil {
		s.decoder = newDecoder(s.src, s.compressed)
	}
	err := s.decoder.resume(from.state, from.around)
	if err != nil {
		s.release()
	}
	return err
}

// release gives the decoder back.
func (s *Stream) release() {
	s.decoder.free()
	s.decoder = nil
}

// mark keeps a point here if the last one is far enough away.
func (s *Stream) mark() {
	last := int64(0)
	if n := len(s.points); n > 0 {
		last = s.points[n-1].pos
	}
	if s.decoder.pos < last+max(1<<20, s.size/pointsPerStream, s.sparse) || s.decoder.phase == atEnd || !s.cache.points.add(s) {
		return
	}
	at, around := s.decoder.leave()
	s.points = append(s.points, point{at, bytes.Clone(around)})
}

// idleStreams are those that keep a decoder, the least recently used first.
type idleStreams struct {
	mu   sync.Mutex
	list []*Stream
}

// add counts a stream in, which is locked, and takes the decoder of another if they
// are too many.
func (l *idleStreams) add(s *Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.list {
		if other == s {
			l.list = append(l.list[:i], l.list[i+1:]...)
			break
		}
	}
	l.list = append(l.list, s)
	for i := 0; len(l.list) > maxIdle && i < len(l.list)-1; {
		// One that is at work takes its place again when it is done.
		if old := l.list[i]; old.mu.TryLock() {
			if old.decoder != nil { // or its last read failed
				old.release()
			}
			old.mu.Unlock()
			l.list = append(l.list[:i], l.list[i+1:]...)
			continue
		}
		i++
	}
}
