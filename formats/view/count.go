package view

import (
	"context"
	"math"
	"runtime"
	"sync"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// Counts is what a cast does to the numbers of a tensor.
type Counts struct {
	Elements int64
	// Overflow is the numbers, infinities among them, that are too large for the dtype: they
	// became an infinity, a NaN, or the largest number.
	Overflow int64
	// NaN is the numbers that were NaN before, MadeNaN those that became NaN, and MadeZero
	// those that were too small.
	NaN, MadeNaN, MadeZero int64
}

// countStep is how many elements are counted at a time.
const countStep = 256 << 10

// Size is the bytes that counting the numbers of a cast reads, about.
func (c Casting) Size() int64 { return c.From.Data.Size() }

// Count reads the tensors of casts, on all processors, and counts what becomes of their
// numbers. done is called with the number of bytes that were read.
func Count(ctx context.Context, casts []Casting, done func(int64)) ([]Counts, error) {
	type job struct {
		cast        int
		first, last int64 // elements
	}
	counts := make([]Counts, len(casts))
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
				counts[j.cast].add(n)
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

func (c *Counts) add(n Counts) {
	c.Elements += n.Elements
	c.Overflow += n.Overflow
	c.NaN += n.NaN
	c.MadeNaN += n.MadeNaN
	c.MadeZero += n.MadeZero
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
func (c Casting) count(first, last int64) (n Counts, err error) {
	before, err := c.From.To(checkpoint.F32)
	if err != nil {
		return n, err
	}
	after, err := c.To.To(checkpoint.F32)
	if err != nil {
		return n, err
	}
	x, y := make([]byte, 4*(last-first)), make([]byte, 4*(last-first))
	if err := segment.ReadFull(before.Data, x, 4*first); err != nil {
		return n, err
	}
	if err := segment.ReadFull(after.Data, y, 4*first); err != nil {
		return n, err
	}
	most := largest(c.To.DType)
	was, is := make([]float32, last-first), make([]float32, last-first)
	ops.Widen(was, x, checkpoint.F32)
	ops.Widen(is, y, checkpoint.F32)
	for i, v := range was {
		switch w := is[i]; {
		case v != v:
			n.NaN++
		case w != w:
			n.MadeNaN++
			n.Overflow++ // nothing else makes a NaN of a number
		case v > most || v < -most:
			if !math.IsInf(float64(v), 0) || !math.IsInf(float64(w), 0) {
				n.Overflow++
			}
		case w == 0 && v != 0:
			n.MadeZero++
		}
	}
	n.Elements = last - first
	return n, nil
}

// largest is the largest float32 that a dtype's largest number is the nearest to.
func largest(d checkpoint.DType) float32 {
	switch d {
	case checkpoint.F16:
		return math.Nextafter32(65520, 0) // the tie goes to the even one, infinity
	case checkpoint.BF16:
		return math.Float32frombits(0x7f7f7fff) // as of F16
	case checkpoint.F8E4M3:
		return 464 // the tie goes to 448
	case checkpoint.F8E5M2:
		return math.Nextafter32(61440, 0)
	}
	return math.MaxFloat32
}
