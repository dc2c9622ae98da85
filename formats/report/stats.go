package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
	"wfs/formats/view"
)

// bins is how many bars a histogram has, from the least to the greatest finite value.
const bins = 40

// farOut is how many standard deviations from the mean an outlier is.
const farOut = 6

// Stat is of the elements of a tensor. What is neither NaN nor infinite goes into Min, Max,
// Mean, Std (of the population) and Histogram; of complex elements, their real and imaginary
// parts. All are computed in float64.
type Stat struct {
	Count, Zeros, NaN, Inf int64
	Min, Max, Mean, Std    float64
	Histogram              [bins]int64
	// Outliers are more than six standard deviations away from the mean.
	Outliers int64
	// Rows are along the first of two or more dimensions; in a dead one all is zero.
	Rows, DeadRows int64
	// pivot is the first finite value. What follows is of distances from it, so that a mean
	// that is large beside the deviation costs no digits: their mean, and the sum of their
	// squared distances from that.
	pivot, mean, squares float64
	finite               int64
}

// Stats are those of canonical tensors.
type Stats map[*checkpoint.Tensor]*Stat

// Measure reads every tensor of a plan, twice, with all processors and a few MiB of memory
// for each. progress, which may be nil, is called with the number of bytes read since it was
// last called, by several goroutines at once. What has no numbers is named in skipped.
func Measure(ctx context.Context, plan *view.Plan, progress func(n int64)) (stats Stats, skipped []string, err error) {
	type task struct {
		tensor *checkpoint.Tensor
		source source.Source
		path   string
		stat   *Stat
	}
	var tasks []*task
	unknown := map[string]int{}
	for of, t := range plan.Shown.Tensors() {
		switch {
		case t.Tied != nil:
		case !readable(t.DType):
			unknown[t.DType.String()]++
		default:
			tasks = append(tasks, &task{t, of.Source, of.Source.Path(), nil})
		}
	}
	for name, n := range unknown {
		skipped = append(skipped, fmt.Sprintf("the values of %d tensors of %s are not measured", n, name))
	}
	slices.Sort(skipped)
	// The largest first: the last ones to end are small.
	slices.SortStableFunc(tasks, func(a, b *task) int { return cmp.Compare(b.tensor.Data.Size(), a.tensor.Data.Size()) })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			m := newMeter(ctx, progress)
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(len(tasks)) {
					return
				}
				t := tasks[i]
				stat, err := m.measure(t.tensor)
				if err == nil {
					err = source.VerifyRead(t.source, t.tensor.Data, 0, t.tensor.Data.Size())
				}
				if err != nil {
					if !strings.HasPrefix(err.Error(), t.path) {
						err = fmt.Errorf("%s: %s: %w", t.path, source.Printable(t.tensor.Key), err)
					}
					cancel(err)
					return
				}
				t.stat = stat
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, nil, err
	}
	stats = Stats{}
	for _, t := range tasks {
		stats[t.tensor] = t.stat
	}
	return stats, skipped, nil
}

// meter measures one tensor after the other.
type meter struct {
	ctx      context.Context
	progress func(int64)
	raw      []byte
	values   []float64
}

// blockBytes is how much is read at once; blockValues how much is added up before its mean
// and squares are merged with what was before.
const (
	blockBytes  = 1 << 20
	blockValues = 4096
)

func newMeter(ctx context.Context, progress func(int64)) *meter {
	if progress == nil {
		progress = func(int64) {}
	}
	return &meter{ctx, progress, make([]byte, blockBytes), make([]float64, blockValues)}
}

func (m *meter) measure(t *checkpoint.Tensor) (*Stat, error) {
	s := &Stat{Min: math.Inf(1), Max: math.Inf(-1)}
	rows := newRowCounter(t, numbers(t))
	if err := m.each(t, func(values []float64) {
		s.add(values)
		rows.add(values)
	}); err != nil {
		return nil, err
	}
	s.Rows, s.DeadRows = rows.rows, rows.dead
	if s.finite == 0 {
		s.Min, s.Max, s.Mean, s.Std = math.NaN(), math.NaN(), math.NaN(), math.NaN()
		return s, nil
	}
	s.Mean, s.Std = s.pivot+s.mean, math.Sqrt(s.squares/float64(s.finite))
	if s.Mean-s.Mean != 0 || s.Std-s.Std != 0 { // squares of float64 may be beyond it
		scale := max(math.Abs(s.Min), math.Abs(s.Max))
		small := &Stat{}
		if err := m.each(t, func(values []float64) {
			for i := range values {
				values[i] /= scale
			}
			small.add(values)
		}); err != nil {
			return nil, err
		}
		s.Mean, s.Std = (small.pivot+small.mean)*scale, math.Sqrt(small.squares/float64(small.finite))*scale
	}
	// The width may be beyond the greatest float64: halves are not.
	low, half := s.Min/2, s.Max/2-s.Min/2
	return s, m.each(t, func(values []float64) {
		for _, v := range values {
			if v-v != 0 { // NaN and infinities
				continue
			}
			at := 0
			if half > 0 {
				at = min(int((v/2-low)/half*bins), bins-1)
			}
			s.Histogram[at]++
			if math.Abs(v-s.Mean) > farOut*s.Std {
				s.Outliers++
			}
		}
	})
}

// add takes a block in: its own mean and squares are merged with those of what was before
// (Chan, Golub, LeVeque: Updating Formulae, 1979), which keeps them exact to a few digits of
// float64 for any number of elements.
func (s *Stat) add(values []float64) {
	s.Count += int64(len(values))
	n, sum := int64(0), 0.0
	for _, v := range values {
		if v-v != 0 {
			if v != v {
				s.NaN++
			} else {
				s.Inf++
			}
			continue
		}
		if v == 0 {
			s.Zeros++
		}
		if v < s.Min {
			s.Min = v
		}
		if v > s.Max {
			s.Max = v
		}
		if n++; n == 1 && s.finite == 0 {
			s.pivot = v
		}
		sum += v - s.pivot
	}
	if n == 0 {
		return
	}
	mean, squares := sum/float64(n), 0.0
	for _, v := range values {
		if v-v == 0 {
			d := v - s.pivot - mean
			squares += d * d
		}
	}
	all := s.finite + n
	delta := mean - s.mean
	s.squares += squares + delta*delta*float64(s.finite)*float64(n)/float64(all)
	s.mean += delta * float64(n) / float64(all)
	s.finite = all
}

// rowCounter counts the rows of a tensor in which all is zero.
type rowCounter struct {
	length, at, rows, dead int64
	alive                  bool
}

func newRowCounter(t *checkpoint.Tensor, numbers int64) *rowCounter {
	r := &rowCounter{}
	if len(t.Shape) > 1 && t.Shape[0] > 1 && numbers%t.Shape[0] == 0 {
		r.length = numbers / t.Shape[0]
	}
	return r
}

func (r *rowCounter) add(values []float64) {
	for len(values) > 0 && r.length > 0 {
		n := min(int64(len(values)), r.length-r.at)
		for _, v := range values[:n] {
			if v != 0 {
				r.alive = true
				break
			}
		}
		values = values[n:]
		if r.at += n; r.at == r.length {
			r.rows++
			if !r.alive {
				r.dead++
			}
			r.at, r.alive = 0, false
		}
	}
}

var errShort = errors.New("its elements do not fill its bytes")
