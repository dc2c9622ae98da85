package segment

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// DefaultBandsSize is the limit of Bands that nobody chose.
const DefaultBandsSize = 128 << 20

// Bands keeps bands of gathered arrays: runs of their output whose elements lie near each
// other in the source. A transposed matrix has a few bytes of each of its columns in every
// request, and one read for each costs a hundred times what it brings; a band of many rows
// costs no more reads and serves many requests. It is built when those who read directly
// would pay as much. Bands, and those being built, never take more than the limit together.
// It is safe for concurrent use, and no lock is held while a source is read.
type Bands struct {
	limit int64

	mu    sync.Mutex
	known map[bandKey]*band
	// recent are those that are built, the most recently used first.
	recent list.List
	used   int64 // bytes of known
	spare  []byte
	last   time.Time   // when a band was used
	idle   *time.Timer // until expire looks
}

// keptFor is how long bands are kept that nobody uses.
const keptFor = 10 * time.Second

// NewBands makes Bands that take up to limit bytes.
func NewBands(limit int64) *Bands { return &Bands{limit: limit, known: map[bandKey]*band{}} }

type bandKey struct {
	of    *Strided
	index int64
}

// band is a run of the output of a Strided.
type band struct {
	key    bandKey
	size   int64
	data   []byte        // nil until its builder makes it
	users  int           // who waits for it or copies of it
	served int64         // bytes that were copied
	built  chan struct{} // closed when data or err is there
	err    error
	place  *list.Element // in recent, nil before it is built
}

// Held is the bytes of all bands.
func (c *Bands) Held() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// get returns the band with a key, built or being built, and counts the caller as its user.
// Where there is none, wanted decides whether a new one is made: with first set, the caller
// has to build it. It is nil where nobody wants one, or there is no room.
func (c *Bands) get(key bandKey, size int64, wanted func() bool) (b *band, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.known[key]; b != nil {
		b.users++
		if b.place != nil {
			c.recent.MoveToFront(b.place)
		}
		return b, false
	}
	if !wanted() || !c.room(size) {
		return nil, false
	}
	b = &band{key: key, size: size, users: 1, built: make(chan struct{})}
	if int64(cap(c.spare)) >= size && int64(cap(c.spare)) < 2*size {
		b.data = c.spare[:size]
	}
	c.spare = nil
	c.known[key] = b
	c.used += size
	return b, true
}

// room drops what was read to its end, which lies in the page cache of those who read it,
// and what was used least recently, until size bytes more are allowed. What somebody copies
// of stays.
func (c *Bands) room(size int64) bool {
	for e := c.recent.Back(); e != nil; {
		b := e.Value.(*band)
		e = e.Prev()
		if b.users == 0 && (b.served >= b.size || c.used+size > c.limit) {
			c.drop(b)
		}
	}
	return c.used+size <= c.limit
}

// drop forgets a band that nobody uses. Its memory is at hand for the next.
func (c *Bands) drop(b *band) {
	c.recent.Remove(b.place)
	delete(c.known, b.key)
	c.used -= b.size
	c.spare = b.data
}

// settle says that a band was built, or why not.
func (c *Bands) settle(b *band, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.err = err; err == nil {
		b.place = c.recent.PushFront(b)
	} else {
		delete(c.known, b.key)
		c.used -= b.size
	}
	close(b.built)
}

// release ends the use of a band, of which n bytes were copied.
func (c *Bands) release(b *band, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.users--
	b.served += int64(n)
	if c.last = time.Now(); c.idle == nil {
		c.idle = time.AfterFunc(keptFor, c.expire)
	}
}

// expire gives the memory of all bands back when none was used for a while.
func (c *Bands) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := keptFor - time.Since(c.last); left > 0 {
		c.idle.Reset(left)
		return
	}
	for e := c.recent.Back(); e != nil; {
		b := e.Value.(*band)
		if e = e.Prev(); b.users == 0 {
			c.drop(b)
		}
	}
	c.spare, c.idle = nil, nil
}

// discourage has a band not built again soon, which could not be.
func (c *Bands) discourage(s *Strided, index int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.cut.spent[index] = -64 * s.cut.cost
}

// manner finds out what a ReadFunc is, by letting it read.
type manner struct {
	cached bool            // it waits for nothing
	ctx    context.Context // until which it waits, or nil
	err    error           // why it reads no more
}

func mannerOf(read ReadFunc) *manner {
	m := new(manner)
	if _, err := read(m, nil, 0); err != errAsked {
		m.err = err
	}
	return m
}

var errAsked = errors.New("asked how it reads")

// ReadAt implements io.ReaderAt.
func (m *manner) ReadAt([]byte, int64) (int, error) { return 0, errAsked }

// ReadCached implements Cached.
func (m *manner) ReadCached([]byte, int64) (int, error) {
	m.cached = true
	return 0, errAsked
}

// ReadAtContext implements Cancellable.
func (m *manner) ReadAtContext(ctx context.Context, _ []byte, _ int64) (int, error) {
	m.ctx = ctx
	return 0, errAsked
}

// Manner tells how read reads: until ctx is done, and from memory alone where cached is set.
// The error is why it reads no more.
func Manner(read ReadFunc) (ctx context.Context, cached bool, err error) {
	m := mannerOf(read)
	if m.ctx == nil {
		m.ctx = context.Background()
	}
	return m.ctx, m.cached, m.err
}

// waits reports whether a read that failed has waited for its source, to the end.
func (m *manner) waits() bool {
	return m.err == nil && !m.cached && (m.ctx == nil || m.ctx.Err() == nil)
}

// wait waits for a band that another builds, as long as the reader may.
func (m *manner) wait(b *band) error {
	select {
	case <-b.built:
		return nil
	default:
	}
	if m.err != nil {
		return m.err
	}
	if m.cached { // the other may wait for a device
		return ErrNotCached
	}
	var done <-chan struct{}
	if m.ctx != nil {
		done = m.ctx.Done()
	}
	select {
	case <-b.built:
		return nil
	case <-done:
		return context.Cause(m.ctx)
	}
}

// guarded makes an error of a panic: a bug, which in a goroutine without a caller would end
// the process.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("segment: building a band panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}
