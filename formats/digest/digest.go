package digest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// Form is what of a tensor is hashed.
type Form int

const (
	// Tensors are hashed as doc.go says: dtype, shape and bytes.
	Tensors Form = iota
	// Bytes are hashed alone, as sha256sum does with the files of raw/.
	Bytes
)

// Header is what is hashed before the bytes of a tensor: "F32 [2, 3]\n".
func Header(d checkpoint.DType, shape []int64) []byte {
	return []byte(d.String() + " " + checkpoint.ShapeText(shape) + "\n")
}

// Digests are the sums of tensors, each computed once and kept. Tied tensors have one.
type Digests struct {
	form Form
	// work is the tensors in the order in which they are hashed.
	work []*checkpoint.Tensor

	// busy holds the one who computes.
	busy chan struct{}

	mu   sync.Mutex // guards the rest
	sums map[*checkpoint.Tensor]Sum
	left []*checkpoint.Tensor // of work: what has no sum yet
	read int64                // bytes
}

// New makes the digests of tensors, and reads nothing.
func New(form Form, tensors iter.Seq[*checkpoint.Tensor]) *Digests {
	d := &Digests{form: form, busy: make(chan struct{}, 1), sums: map[*checkpoint.Tensor]Sum{}}
	seen := map[*checkpoint.Tensor]bool{}
	total := int64(0)
	for t := range tensors {
		if t = t.Canonical(); !seen[t] {
			seen[t] = true
			d.work = append(d.work, t)
			total += t.Data.Size()
		}
	}
	d.left = d.work
	// Each tensor is hashed by one processor. A large one that came last would keep the
	// others waiting, so those go first; the rest is read in the order of the source.
	large := total / int64(8*runtime.GOMAXPROCS(0))
	slices.SortStableFunc(d.work, func(a, b *checkpoint.Tensor) int {
		m, n := a.Data.Size(), b.Data.Size()
		switch {
		case m <= large && n <= large || m == n:
			return 0
		case m > n:
			return -1
		}
		return 1
	})
	return d
}

// Size is the bytes that Compute reads.
func (d *Digests) Size() int64 {
	total := int64(0)
	for _, t := range d.work {
		total += t.Data.Size()
	}
	return total
}

// Of is the sum of a tensor, and whether it was computed.
func (d *Digests) Of(t *checkpoint.Tensor) (sum Sum, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum, ok = d.sums[t.Canonical()]
	return sum, ok
}

// Done reports whether all sums are known.
func (d *Digests) Done() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sums) == len(d.work)
}

// Compute computes the sums that are not known yet, with all processors, in memory that
// does not depend on the tensors. Where it fails, or ctx ends it, the sums that were
// computed stay, and another call goes on from there. One call works at a time, and others
// wait for it. Whoever waits by segment.Alive is told how it goes on; progress, which may be
// nil, is told of bytes that were read, by any number of goroutines at once.
//
// The sources have to be verified after it: sums of bytes that changed meanwhile say nothing.
func (d *Digests) Compute(ctx context.Context, progress func(bytes int64)) error {
	if err := segment.Turn(ctx, d.busy, d.bytesRead); err != nil {
		return err
	}
	defer func() { <-d.busy }()
	d.mu.Lock()
	d.left = slices.DeleteFunc(slices.Clone(d.work), func(t *checkpoint.Tensor) bool { _, ok := d.sums[t]; return ok })
	d.mu.Unlock()

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(d.left)) {
		workers.Go(func() {
			w := newWorker(ctx, func(n int64) {
				d.count(n)
				segment.Alive(ctx)
				if progress != nil {
					progress(n)
				}
			})
			for t := d.next(); t != nil && ctx.Err() == nil; t = d.next() {
				sum, err := w.sum(d.form, t)
				if err != nil {
					stop(fmt.Errorf("tensor %.60q: %w", t.Key, err))
					return
				}
				d.keep(t, sum)
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (d *Digests) next() *checkpoint.Tensor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) == 0 {
		return nil
	}
	t := d.left[0]
	d.left = d.left[1:]
	return t
}

func (d *Digests) keep(t *checkpoint.Tensor, sum Sum) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sums[t] = sum
}

func (d *Digests) count(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read += n
}

func (d *Digests) bytesRead() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.read
}

// block is the bytes of one read: they are still in the processor's cache when they are
// hashed, and a disk reads them in one go.
const block = 512 << 10

// worker hashes one tensor after the other. Of what takes more than one block, the next is
// read while one is hashed.
type worker struct {
	ctx      context.Context
	read     segment.ReadFunc
	progress func(int64)
	hash     hash.Hash
	free     chan []byte
}

func newWorker(ctx context.Context, progress func(int64)) *worker {
	w := &worker{ctx: ctx, read: segment.ReadUntil(ctx), progress: progress, hash: sha256.New(), free: make(chan []byte, 2)}
	w.free <- make([]byte, block)
	w.free <- make([]byte, block)
	return w
}

func (w *worker) sum(form Form, t *checkpoint.Tensor) (sum Sum, err error) {
	w.hash.Reset()
	if form == Tensors {
		w.hash.Write(Header(t.DType, t.Shape))
	}
	if size := t.Data.Size(); size > block {
		err = w.stream(t.Data)
	} else if size > 0 {
		b := <-w.free
		if err = w.fill(t.Data, b[:size], 0); err == nil {
			w.hash.Write(b[:size])
		}
		w.free <- b
	}
	w.hash.Sum(sum[:0])
	return sum, err
}

// fill reads all of p. A reader that panics is a bug, and costs an error.
func (w *worker) fill(data segment.Data, p []byte, off int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("bug: %v\n%s", r, debug.Stack())
		}
	}()
	err = segment.Fill(w.read, data, p, off)
	if err == nil {
		w.progress(int64(len(p)))
	}
	return err
}

// stream hashes data while a goroutine reads it.
func (w *worker) stream(data segment.Data) error {
	type filled struct {
		p   []byte
		n   int
		err error
	}
	blocks := make(chan filled)
	go func() {
		defer close(blocks)
		for off, size := int64(0), data.Size(); off < size; off += block {
			f := filled{p: <-w.free, n: int(min(block, size-off))}
			f.err = w.fill(data, f.p[:f.n], off)
			blocks <- f
			if f.err != nil {
				return
			}
		}
	}()
	var err error
	for f := range blocks {
		if err = f.err; err == nil {
			w.hash.Write(f.p[:f.n])
		}
		w.free <- f.p
	}
	return err
}
