package view

import (
	"context"
	"io"
	"runtime"
	"sync"

	"wfs/formats/ops"
	"wfs/formats/segment"
)

// countStep is how many elements are counted at a time: whole blocks of any dtype.
const countStep = 256 << 10

// Size is the bytes that counting the numbers of a cast reads, about.
func (c Casting) Size() int64 { return c.From.Data.Size() }

// Count reads the tensors of casts, on all processors, and counts what becomes of their
// numbers. done is called with the number of bytes that were read.
func Count(ctx context.Context, casts []Casting, done func(int64)) ([]ops.Counts, error) {
	type job struct {
		cast        int
		first, last int64 // elements
	}
	counts := make([]ops.Counts, len(casts))
	jobs := make(chan job)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range jobs {
				n, err := casts[j.cast].count(j.first, j.last)
				if err != nil {
					cancel(err)
					continue
				}
				mu.Lock()
				counts[j.cast] = counts[j.cast].Add(n)
				mu.Unlock()
				done((j.last - j.first) * casts[j.cast].Size() / max(casts[j.cast].elements(), 1))
			}
		})
	}
	for i, c := range casts {
		for first := int64(0); first < c.elements() && ctx.Err() == nil; first += countStep {
			jobs <- job{i, first, min(first+countStep, c.elements())}
		}
	}
	close(jobs)
	workers.Wait()
	return counts, context.Cause(ctx)
}

// elements is the number of a cast's numbers.
func (c Casting) elements() int64 {
	n, err := segment.Count(c.From.Shape)
	if err != nil {
		return 0 // no reader gives out such a tensor
	}
	return n
}

// count is what becomes of the numbers from first on, before last.
func (c Casting) count(first, last int64) (ops.Counts, error) {
	elements, bytes := c.From.DType.Block()
	part := segment.NewRange(c.From.Data, first/elements*bytes, (last-first)/elements*bytes)
	return ops.Check(io.ReaderAt.ReadAt, part, c.From.DType, c.To.DType)
}
