package diff

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// blockBytes is what of the wider side is compared at once. A block of each side is in the
// processor's cache when they are compared, and a disk reads them in one go.
const blockBytes = 512 << 10

// blockUnit is a number of elements that fills whole blocks of any dtype.
const blockUnit = 256

// job is a pair of tensors that are compared, whatever keys they have: those of tied tensors
// are compared once.
type job struct {
	a, b     Tensor
	domain   domain
	elements int64 // of a block
	blocks   int64

	// The blocks are added in their order, so that two runs give the same sums.
	next    int64
	pending map[int64]*sums
	total   sums
	// differing says of each block whether it does; the sums of the others are taken later.
	differing []uint64
	found     int64 // blocks that differ
	settled   bool
	verdict   Verdict
	values    *Values
}

type jobKey struct{ a, b *checkpoint.Tensor }

// runner is the jobs of a comparison.
type runner struct {
	busy chan struct{}

	mu   sync.Mutex // guards the rest, but for the results of a job that is done
	done map[jobKey]*job
	read int64
}

func newRunner() runner { return runner{busy: make(chan struct{}, 1), done: map[jobKey]*job{}} }

// Compare compares the values of all pairs of one shape that are not known, with all
// processors, in memory that does not depend on the tensors. Where it fails, or ctx ends it,
// the pairs that were compared stay so, and another call goes on from there; one call works
// at a time. progress is told of bytes that were read of both sides. The sources have to be
// verified after it.
func (c *Comparison) Compare(ctx context.Context, progress func(bytes int64)) error {
	if err := segment.Turn(ctx, c.run.busy, c.BytesRead); err != nil {
		return err
	}
	defer func() { <-c.run.busy }()
	var jobs []*job
	queued := map[jobKey]bool{}
	for _, p := range c.Pairs {
		key := jobKey{p.A.Canonical(), p.B.Canonical()}
		if p.Verdict == Unknown && p.SameShape() && c.run.done[key] == nil && !queued[key] {
			queued[key] = true
			jobs = append(jobs, newJob(p.A, p.B))
		}
	}
	r := &run{c: c, progress: progress}
	r.ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	r.each(jobs, false)
	if r.ctx.Err() == nil && !c.opt.Brief {
		r.each(jobs, true)
	}
	if err := context.Cause(r.ctx); err != nil {
		return err
	}
	for _, p := range c.Pairs {
		if j := c.run.done[jobKey{p.A.Canonical(), p.B.Canonical()}]; j != nil && p.Verdict == Unknown && p.SameShape() {
			p.Verdict, p.Values = j.verdict, j.values
		}
	}
	return nil
}

// Size is the bytes that Compare reads at most once, of both sides.
func (c *Comparison) Size() (total int64) {
	for _, p := range c.Pairs {
		if p.Verdict == Unknown && p.SameShape() {
			total += p.A.Data.Size() + p.B.Data.Size()
		}
	}
	return total
}

// BytesRead is how much Compare has read so far.
func (c *Comparison) BytesRead() int64 {
	c.run.mu.Lock()
	defer c.run.mu.Unlock()
	return c.run.read
}

func newJob(a, b Tensor) *job {
	j := &job{a: a, b: b, domain: commonDomain(a.DType, b.DType)}
	count := j.count()
	width := max(perUnit(a.DType), perUnit(b.DType))
	j.elements = max(1, blockBytes/width) * blockUnit
	j.blocks = (count + j.elements - 1) / j.elements
	j.differing = make([]uint64, (j.blocks+63)/64)
	if j.domain != asBytes {
		j.total.Elements = count
	}
	return j
}

// perUnit is the bytes of blockUnit elements.
func perUnit(d checkpoint.DType) int64 {
	elements, bytes := d.Block()
	return max(1, blockUnit/elements*bytes)
}

// count is the number of elements.
func (j *job) count() int64 {
	elements, bytes := j.a.DType.Block()
	if bytes == 0 {
		return 0
	}
	return j.a.Data.Size() / bytes * elements
}

// bounds is a block of one side, in bytes.
func (j *job) bounds(t Tensor, block int64) (off, n int64) {
	elements, bytes := t.DType.Block()
	off = block * j.elements / elements * bytes
	return off, max(0, min(j.elements/elements*bytes, t.Data.Size()-off))
}

func (j *job) differs(block int64) bool { return j.differing[block/64]>>(block%64)&1 != 0 }

// run is one call of Compare.
type run struct {
	c        *Comparison
	ctx      context.Context
	stop     context.CancelCauseFunc
	progress func(int64)
}

// each compares the blocks of all jobs: in the first pass all of them, in the second those
// that were equal, of jobs with others that are not.
func (r *run) each(jobs []*job, second bool) {
	at, block := 0, int64(-1)
	next := func() (*job, int64) { // under the lock
		for ; at < len(jobs); at, block = at+1, -1 {
			j := jobs[at]
			if block < 0 && !j.settled {
				j.next, j.pending = 0, map[int64]*sums{}
			}
			for block++; block < j.blocks && !j.settled; block++ {
				if second && j.differs(block) {
					r.deliver(j, block, nil, second)
					continue
				}
				return j, block
			}
			if j.blocks == 0 {
				r.settle(j)
			}
		}
		return nil, 0
	}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			w := &worker{run: r, read: segment.ReadUntil(r.ctx)}
			for r.ctx.Err() == nil {
				r.c.run.mu.Lock()
				j, block := next()
				r.c.run.mu.Unlock()
				if j == nil {
					return
				}
				part, err := w.compare(j, block, second)
				if err != nil {
					r.stop(err)
					return
				}
				r.c.run.mu.Lock()
				r.deliver(j, block, part, second)
				r.c.run.mu.Unlock()
			}
		})
	}
	workers.Wait()
}

// deliver takes the sums of a block, nil where it is equal, and adds all that come next.
func (r *run) deliver(j *job, block int64, part *sums, second bool) {
	if j.settled { // by an earlier block: this one was on its way
		return
	}
	if part != nil && !second {
		j.differing[block/64] |= 1 << (block % 64)
		j.found++
	}
	j.pending[block] = part
	for {
		part, there := j.pending[j.next]
		if !there {
			break
		}
		if part != nil {
			j.total.add(part)
		}
		delete(j.pending, j.next)
		j.next++
	}
	switch {
	case r.c.opt.Brief && j.total.Beyond > 0:
		r.settle(j)
	case j.next == j.blocks && (second || r.c.opt.Brief || j.found == 0 || j.domain == asBytes):
		r.settle(j)
	}
}

// settle says what was found of a job that is done.
func (r *run) settle(j *job) {
	j.settled = true
	r.c.run.done[jobKey{j.a.Canonical(), j.b.Canonical()}] = j
	switch {
	case j.domain == asBytes && j.a.DType != j.b.DType:
		j.verdict = Unknown
	case j.total.Beyond > 0:
		j.verdict = Changed
	case j.total.Differing > 0:
		j.verdict = Close
	case j.found > 0 && j.a.DType == j.b.DType:
		j.verdict = OtherBits
	default:
		j.verdict = Equal
	}
	if !r.c.opt.Brief && j.found > 0 {
		j.values = j.total.result()
	}
	j.differing, j.pending = nil, nil
}

// worker compares blocks, one after the other.
type worker struct {
	*run
	read       segment.ReadFunc
	rawA, rawB []byte
	a, b       []float64
	intA, intB []int64
}

// compare is the sums of a block, nil where its bytes are the same in the first pass. A reader
// that panics is a bug, and costs an error.
func (w *worker) compare(j *job, block int64, second bool) (part *sums, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: tensor %.60q: bug: %v\n%s", j.a.Source.Path(), j.a.Key, r, debug.Stack())
		}
	}()
	if j.domain == asBytes && j.a.DType != j.b.DType {
		return nil, nil
	}
	if w.rawA, err = w.fill(w.rawA, j, j.a, block); err != nil {
		return nil, err
	}
	if second { // the other side is the same
		w.rawB = append(w.rawB[:0], w.rawA...)
	} else if w.rawB, err = w.fill(w.rawB, j, j.b, block); err != nil {
		return nil, err
	}
	if !second && j.a.DType == j.b.DType && bytes.Equal(w.rawA, w.rawB) {
		return nil, nil
	}
	part = &sums{}
	return part, w.values(part, j, block*j.elements)
}

// stretch is how many elements are widened at once, so that they stay in the nearest caches.
const stretch = 16 * blockUnit

// values computes the sums of the blocks that were read.
func (w *worker) values(part *sums, j *job, first int64) error {
	if j.domain == asBytes {
		for i, v := range w.rawA {
			if v != w.rawB[i] {
				part.Differing++
				part.Beyond++
			}
		}
		return nil
	}
	rawA, rawB := w.rawA, w.rawB
	stepA, stepB := stretch/blockUnit*int(perUnit(j.a.DType)), stretch/blockUnit*int(perUnit(j.b.DType))
	for len(rawA) > 0 {
		a, b := rawA[:min(len(rawA), stepA)], rawB[:min(len(rawB), stepB)]
		if err := w.stretch(part, j, a, b, first); err != nil {
			return err
		}
		rawA, rawB, first = rawA[len(a):], rawB[len(b):], first+stretch
	}
	return nil
}

func (w *worker) stretch(part *sums, j *job, rawA, rawB []byte, first int64) (err error) {
	dA, dB := j.a.DType, j.b.DType
	if j.domain == asIntegers {
		w.intA, w.intB = integers(w.intA[:0], rawA, dA), integers(w.intB[:0], rawB, dB)
		part.integers(w.intA, w.intB, dA == checkpoint.U64, dB == checkpoint.U64, first, w.c.opt)
		return nil
	}
	if w.a, err = widened(w.a[:0], rawA, dA, j.domain == asComplex); err != nil {
		return j.a.fail(err)
	}
	if w.b, err = widened(w.b[:0], rawB, dB, j.domain == asComplex); err != nil {
		return j.b.fail(err)
	}
	w.intA, w.intB = ordinals(w.intA, rawA, w.a, dA, dB), ordinals(w.intB, rawB, w.b, dB, dA)
	if j.domain == asComplex {
		part.complexes(w.a, w.b, w.intA, w.intB, first, w.c.opt)
	} else {
		part.floats(w.a, w.b, w.intA, w.intB, first, w.c.opt)
	}
	return nil
}

// fill reads a block of one side into p, or into more where that is too little.
func (w *worker) fill(p []byte, j *job, t Tensor, block int64) ([]byte, error) {
	off, n := j.bounds(t, block)
	if int64(cap(p)) < n {
		p = make([]byte, n)
	}
	p = p[:n]
	if n > 0 {
		if err := segment.Fill(w.read, t.Data, p, off); err != nil {
			return p, t.fail(err)
		}
	}
	w.c.run.mu.Lock()
	w.c.run.read += n
	w.c.run.mu.Unlock()
	segment.Alive(w.ctx)
	if w.progress != nil {
		w.progress(n)
	}
	return p, nil
}
