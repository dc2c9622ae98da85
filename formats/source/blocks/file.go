package blocks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"wfs/formats/segment"
	"wfs/formats/source"
)

// Remote is a run of bytes far away, pinned: it never gives others than when it was opened.
type Remote interface {
	// Get begins to read n bytes from offset off, which are there. What it returns, and reading
	// of the body, ends with ctx. An error is final unless it is Temporary; one of the body is
	// taken for temporary unless it is source.ErrStale.
	Get(ctx context.Context, off, n int64) (io.ReadCloser, error)
}

// Temporary is an error after which the same request may succeed.
type Temporary struct {
	Err error
	// After is the least time to wait for that, as the server has it.
	After time.Duration
}

func (t *Temporary) Error() string { return t.Err.Error() }
func (t *Temporary) Unwrap() error { return t.Err }

// Pin is what a file was pinned to.
type Pin struct {
	Path     string // for messages: no part of it is secret
	Name     string
	ModTime  time.Time
	Identity string
	Size     int64
	// Tail says that the end of the file is read when it is opened, as that of a zip file is:
	// then it is fetched together with the beginning.
	Tail bool
}

// Patience is how long is waited.
type Patience struct {
	// Timeout is how long a read goes on when nothing comes: requests are made again until then.
	Timeout time.Duration
	// Stall is how long one request may bring nothing.
	Stall time.Duration
}

// DefaultTimeout is that of a Patience.
const DefaultTimeout = time.Minute

// WithTimeout is a Patience of that timeout, DefaultTimeout for 0.
func WithTimeout(timeout time.Duration) Patience {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return Patience{timeout, min(10*time.Second, timeout/3)}
}

// File is a source whose bytes are far away, in blocks.
type File struct {
	pin      Pin
	id       ID
	cache    *Cache
	remote   Remote
	patience Patience
	ctx      context.Context // until Close
	close    context.CancelFunc
	fault    atomic.Pointer[error] // that it is stale
	arrived  atomic.Int64          // bytes that have come

	mu      sync.Mutex // never held while anything is read
	opened  bool       // the first read was seen
	blocks  map[int64]*block
	wanted  []int64 // queued, for somebody who waits
	later   []int64 // queued, for nobody yet
	ahead   int     // blocks that are queued or under way for nobody
	busy    int     // runs that are under way
	runs    sync.WaitGroup
	readers readers
}

var (
	_ source.PageCached   = (*File)(nil)
	_ segment.Distant     = (*File)(nil)
	_ segment.Cancellable = (*File)(nil)
)

// block is one that is queued or under way, or that came. What it holds never changes.
type block struct {
	ready  chan struct{} // closed when data or err is there
	data   []byte
	err    error
	queued bool
	wanted bool // somebody waits
}

// NewFile makes a source of what is pinned, and reads nothing.
func NewFile(cache *Cache, pin Pin, remote Remote, patience Patience) *File {
	ctx, cancel := context.WithCancel(context.Background())
	return &File{
		pin: pin, id: IdentityOf(pin.Identity), cache: cache, remote: remote, patience: patience, ctx: ctx, close: cancel,
		blocks: map[int64]*block{},
	}
}

// Path implements source.Source.
func (f *File) Path() string { return f.pin.Path }

// Name implements source.Source.
func (f *File) Name() string { return f.pin.Name }

// Size implements source.Source.
func (f *File) Size() int64 { return f.pin.Size }

// ModTime implements source.Source.
func (f *File) ModTime() time.Time { return f.pin.ModTime }

// Identity implements source.Source.
func (f *File) Identity() string { return f.pin.Identity }

// Verify implements source.Source: once an answer has told of a change, nothing is given out.
func (f *File) Verify() error {
	if err := f.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Close implements source.Source. It ends what is under way, and returns when what has come is
// on the disk: the process may end after that.
func (f *File) Close() error {
	f.mu.Lock()
	f.close()
	f.mu.Unlock()
	f.runs.Wait()
	return nil
}

// Instant implements source.PageCached: Verify asks nobody.
func (f *File) Instant() bool { return true }

// blockLen is the bytes of a block.
func (f *File) blockLen(i int64) int { return int(min(Size, f.pin.Size-i*Size)) }

// ReadCached implements segment.Cached: it reads what is in memory.
func (f *File) ReadCached(p []byte, off int64) (int, error) {
	p, atEnd, err := segment.Clip(p, off, f.pin.Size)
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		data, ok := f.cache.memory.Get(key{f.id, at / Size})
		if !ok {
			return 0, segment.ErrNotCached
		}
		n += copy(p[n:], data[at%Size:])
	}
	f.Prefetch(f.window(off, int64(n)))
	return n, atEnd
}

// ReadAt implements segment.Data.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	return f.ReadAtContext(context.Background(), p, off)
}

// maxStep bounds the blocks that one read has in memory, of a part of it.
const maxStep = 64

// ReadAtContext implements segment.Cancellable.
func (f *File) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	p, atEnd, err := segment.Clip(p, off, f.pin.Size)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	done := 0
	end := count(off + int64(len(p)))
	f.Prefetch(f.window(off, int64(len(p))))
	for i := off / Size; i < end; i += maxStep {
		asked := f.ask(i, min(i+maxStep, end))
		if next := (i + maxStep) * Size; i+maxStep < end {
			f.Prefetch(next, min(maxStep*Size, off+int64(len(p))-next))
		}
		for k, b := range asked {
			if err := f.await(ctx, b); err != nil {
				return done, err
			}
			done += copy(p[done:], b.data[off+int64(done)-(i+int64(k))*Size:])
		}
	}
	return done, atEnd
}

// aliveInterval is how often one who waits is told that bytes come.
const aliveInterval = time.Second

// errClosed is the error of reads that were under way.
var errClosed = errors.New("the source was closed")

// await waits for a block.
func (f *File) await(ctx context.Context, b *block) error {
	select {
	case <-b.ready:
		return b.err
	default:
	}
	look := time.NewTicker(aliveInterval)
	defer look.Stop()
	for last := f.arrived.Load(); ; {
		select {
		case <-b.ready:
			return b.err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.ctx.Done():
			return fmt.Errorf("%s: %w", f.pin.Path, errClosed)
		case <-look.C:
		}
		if now := f.arrived.Load(); now != last {
			last = now
			segment.Alive(ctx)
		}
	}
}

// ask is blocks first to end, which come, or have come.
func (f *File) ask(first, end int64) []*block {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := make([]*block, 0, end-first)
	for i := first; i < end; i++ {
		asked = append(asked, f.want(i, true))
	}
	if !f.opened {
		f.opened = true
		if first == 0 {
			f.openAhead()
		}
	}
	f.dispatch()
	return asked
}

// atOpening is the blocks of the beginning of a file, and of its end, that are fetched with the
// first read of it: the header of 4 000 tensors, the directory of 4 000 records.
const atOpening = 2

// openAhead fetches what the readers will want of a file whose beginning they have asked for.
func (f *File) openAhead() {
	n := count(f.pin.Size)
	for i := range min(n, atOpening) {
		f.want(i, false)
	}
	if f.pin.Tail {
		for i := max(n-atOpening, 0); i < n; i++ {
			f.want(i, false)
		}
	}
}

// maxAhead bounds the blocks of a file that are fetched for nobody yet.
const maxAhead = (64 << 20) / Size

// Prefetch implements segment.Distant. What is too much is left out.
func (f *File) Prefetch(off, n int64) {
	if off < 0 || n <= 0 || off >= f.pin.Size {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, end := off/Size, count(min(off+n, f.pin.Size)); i < end && f.ahead < maxAhead; i++ {
		f.want(i, false)
	}
	f.dispatch()
}

// window is what is to be fetched ahead after a read.
func (f *File) window(off, n int64) (from, length int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readers.read(off, n)
}

// Seed takes bytes that came with the opening of the file, as far as they are whole blocks.
func (f *File) Seed(off int64, data []byte) {
	for i := (off + Size - 1) / Size; i < count(f.pin.Size); i++ {
		from, n := i*Size-off, int64(f.blockLen(i))
		if from+n > int64(len(data)) {
			break
		}
		b := append([]byte(nil), data[from:from+n]...) // the rest may be dropped
		f.cache.memory.Put(key{f.id, i}, b)
		f.cache.store(key{f.id, i}, b)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened = true
}
