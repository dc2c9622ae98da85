package segment

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Sizes of a band. To read from the page cache takes 1.3 µs beside 0.1 µs for each KiB, so
// that runs longer than goodRun save little; a band has the smallest size that gives them. A
// matrix of 16 384 rows needs the largest.
const (
	minBand = 4 << 20
	maxBand = 64 << 20
	goodRun = 4 << 10
)

// worthRequest is the request by which gathers that need no bands are told from others.
const worthRequest = 512 << 10

// banding is how a Strided is cut into bands: along one dimension, each with some of its
// indices and all of those of the dimensions below it.
type banding struct {
	axis  int
	width int64 // indices in a band
	count int64 // bands along the dimension
	cost  int64 // of building one
	// spent is the cost of reading directly, by band, until it is built; less than nothing
	// where building failed. Bands.mu guards it.
	spent map[int64]int64
}

// banding chooses how s is cut, or returns nil where direct reads are as good.
func (s *Strided) banding(limit int64) *banding {
	direct := s.cost(worthRequest)
	if direct < 3*min(worthRequest, s.size) {
		return nil
	}
	var best *banding
	for size := int64(minBand); size <= min(maxBand, limit/2); size *= 2 {
		axis := 0
		for axis < len(s.dims)-1 && s.dims[axis].out*s.elem > size {
			axis++
		}
		d := s.dims[axis]
		width := min(d.size, max(1, size/(d.out*s.elem)))
		box := append([]dim{{width, d.stride, d.out}}, s.dims[axis+1:]...)
		best = &banding{axis: axis, width: width, count: (d.size + width - 1) / width, cost: planOf(box, s.elem).cost(s.elem)}
		bytes := width * d.out * s.elem
		if best.cost/(readCost/goodRun+1) <= bytes || bytes >= s.size {
			break
		}
	}
	if best == nil { // no room for the smallest
		return nil
	}
	size := best.width * s.dims[best.axis].out * s.elem
	if float64(best.cost)/float64(size) > float64(direct)/float64(min(worthRequest, s.size))/2 {
		return nil
	}
	best.spent = map[int64]int64{}
	return best
}

// cost estimates what reading n bytes of s directly costs.
func (s *Strided) cost(n int64) int64 {
	n = max(1, min(n, s.size)/s.elem)
	for axis, d := range s.dims {
		if d.out <= n {
			return planOf(append([]dim{{min(d.size, n/d.out), d.stride, d.out}}, s.dims[axis+1:]...), s.elem).cost(s.elem)
		}
	}
	return readCost
}

// bandOf is the band that holds a byte of the output: its number, and where it begins and ends.
func (s *Strided) bandOf(off int64) (index, from, to int64) {
	c := s.cut
	row := s.dims[c.axis].out * s.elem // bytes of an index along the dimension
	all := row * s.dims[c.axis].size
	outer, along := off/all, off%all/row/c.width
	from = outer*all + along*c.width*row
	return outer*c.count + along, from, min(from+c.width*row, (outer+1)*all)
}

// readBanded is ReadWith for a range inside, by way of bands.
func (s *Strided) readBanded(read ReadFunc, p []byte, off int64) error {
	for len(p) > 0 {
		index, from, to := s.bandOf(off)
		n := int(min(int64(len(p)), to-off))
		if err := s.readBand(read, p[:n], off, index, from, to); err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// readBand fills p from a band if there is one, or if it is time to build it.
func (s *Strided) readBand(read ReadFunc, p []byte, off, index, from, to int64) error {
	b, first := s.bands.get(bandKey{s, index}, to-from, func() bool {
		cost := s.cost(int64(len(p)))
		spent := s.cut.spent[index] + cost
		if s.cut.spent[index] = spent; spent < 0 || 2*cost < s.cut.cost && spent < 4*s.cut.cost {
			return false
		}
		delete(s.cut.spent, index)
		return true
	})
	if b == nil {
		return s.direct(read, p, off)
	}
	copied := 0
	defer func() { s.bands.release(b, copied) }()
	var err error
	if first {
		err = s.build(read, b, from, to)
	} else {
		err = mannerOf(read).wait(b)
	}
	switch {
	case err == nil && b.err == nil:
		copied = copy(p, b.data[off-from:])
		return nil
	case errors.Is(err, ErrNotCached):
		return err
	case err == nil || first:
		if first && mannerOf(read).waits() {
			s.bands.discourage(s, index)
		}
		// What cannot be read of the band may not be wanted here, and who built it may have been killed.
		return s.direct(read, p, off)
	}
	return err
}

// buildStep is the least that one goroutine reads at a time.
const buildStep = gatherSpan

// build fills a band with the bytes [from, to) of s, on all processors: it is cut along the
// dimension that reaches farthest in the source.
func (s *Strided) build(read ReadFunc, b *band, from, to int64) (err error) {
	err = errors.New("segment: building a band ended early")
	defer func() { s.bands.settle(b, err) }()
	if b.data == nil {
		b.data = make([]byte, to-from)
	}
	base, box := s.boxAt(from, to)
	far := 0
	for i := range box {
		if box[i].stride > box[far].stride {
			far = i
		}
	}
	total := int64(1)
	for _, d := range box {
		total *= d.size
	}
	d := box[far]
	step := min(d.size, max(1, (buildStep/s.elem)/(total/d.size)))
	var next atomic.Int64
	var failed atomic.Pointer[error]
	work := func() {
		g := gather{s: s, from: read}
		defer g.done()
		for failed.Load() == nil {
			i := next.Add(step) - step
			if i >= d.size {
				return
			}
			part := append([]dim(nil), box...)
			part[far].size = min(step, d.size-i)
			if err := guarded(func() error {
				return g.box(b.data[i*d.out*s.elem:], base+i*d.stride*s.elem, part)
			}); err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
		}
	}
	var wait sync.WaitGroup
	for range min(int64(runtime.GOMAXPROCS(0)), (d.size+step-1)/step) - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	err = nil
	if e := failed.Load(); e != nil {
		err = *e
	}
	return err
}

// boxAt is the box of a band, and the byte of the source where it begins.
func (s *Strided) boxAt(from, to int64) (base int64, box []dim) {
	base, at := s.off, from/s.elem
	for _, d := range s.dims[:s.cut.axis+1] {
		base += at / d.out * d.stride * s.elem
		at %= d.out
	}
	d := s.dims[s.cut.axis]
	return base, append([]dim{{(to - from) / s.elem / d.out, d.stride, d.out}}, s.dims[s.cut.axis+1:]...)
}
