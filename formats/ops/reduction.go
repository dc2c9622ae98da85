package ops

import (
	"math"
	"sync"
	"sync/atomic"

	"wfs/formats/segment"
)

// reduction has sums over the rows of one or two arrays, which are read for the first
// request that needs them. Sums are in float64, and in one order, however they are asked for.
type reduction struct {
	length int64        // elements of a row
	x, y   segment.Data // F32; y may be nil

	// Long rows are read by one request at a time. busy has room for one, who has partial too.
	busy    chan struct{}
	partial partialSums
	done    atomic.Int64 // grows while somebody reads

	mu    sync.Mutex
	known map[int64]rowSums
}

// rowSums are those of x², y² and x·y.
type rowSums struct{ xx, yy, xy float64 }

// partialSums are those of a row as far as it was read: whoever reads on, after a reader
// that was killed, begins there.
type partialSums struct {
	row, at int64
	rowSums
}

const (
	// shortRow is the bytes up to which a row is read again rather than waited for.
	shortRow = foldBytes
	// mostKnown is how many sums of longer rows are kept: 1 MiB of them.
	mostKnown = 1 << 14
)

func newReduction(length int64, x, y segment.Data) *reduction {
	return &reduction{length: length, x: x, y: y, busy: make(chan struct{}, 1), known: map[int64]rowSums{}}
}

// of is the sums of a row.
func (r *reduction) of(read segment.ReadFunc, row int64) (rowSums, error) {
	if r.length*4 > shortRow {
		return r.long(read, row)
	}
	p := partialSums{row: row}
	err := r.read(read, &p)
	return p.rowSums, err
}

// long is of for a row that takes long.
func (r *reduction) long(read segment.ReadFunc, row int64) (rowSums, error) {
	r.mu.Lock()
	s, ok := r.known[row]
	r.mu.Unlock()
	if ok {
		return s, nil
	}
	ctx, cached, err := segment.Manner(read)
	if err != nil {
		return rowSums{}, err
	}
	if cached {
		return rowSums{}, segment.ErrNotCached
	}
	if err := segment.Turn(ctx, r.busy, r.done.Load); err != nil {
		return rowSums{}, err
	}
	defer func() { <-r.busy }()
	r.mu.Lock()
	s, ok = r.known[row] // by now
	r.mu.Unlock()
	if ok {
		return s, nil
	}
	if r.partial.row != row {
		r.partial = partialSums{row: row}
	}
	for r.partial.at < r.length {
		if err := r.read(read, &r.partial); err != nil {
			return rowSums{}, err
		}
		r.done.Add(1)
		segment.Alive(ctx)
	}
	s = r.partial.rowSums
	r.partial = partialSums{}
	r.keep(row, s)
	return s, nil
}

func (r *reduction) keep(row int64, s rowSums) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= mostKnown {
		clear(r.known)
	}
	r.known[row] = s
}

// read adds a piece of a row to its sums.
func (r *reduction) read(read segment.ReadFunc, p *partialSums) error {
	bx, by := operand.Get().(*[foldBytes]byte), operand.Get().(*[foldBytes]byte)
	defer operand.Put(bx)
	defer operand.Put(by)
	n := min(foldBytes, (r.length-p.at)*4)
	off := (p.row*r.length + p.at) * 4
	if err := segment.Fill(read, r.x, bx[:n], off); err != nil {
		return err
	}
	if r.y == nil {
		p.add(squares(bx[:n]))
	} else {
		if err := segment.Fill(read, r.y, by[:n], off); err != nil {
			return err
		}
		p.add(products(bx[:n], by[:n]))
	}
	p.at += n / 4
	return nil
}

func (s *rowSums) add(t rowSums) {
	s.xx += t.xx
	s.yy += t.yy
	s.xy += t.xy
}

// squares is the sum of x², in four lanes that are added at the end.
func squares(x []byte) rowSums {
	var sum [4]float64
	for ; len(x) >= 16; x = x[16:] {
		for i := range sum {
			v := float64(math.Float32frombits(le.Uint32(x[4*i:])))
			sum[i] += float64(v * v)
		}
	}
	for i := 0; i < len(x)/4; i++ {
		v := float64(math.Float32frombits(le.Uint32(x[4*i:])))
		sum[i] += float64(v * v)
	}
	return rowSums{xx: (sum[0] + sum[1]) + (sum[2] + sum[3])}
}

// products is all sums of two arrays.
func products(x, y []byte) rowSums {
	var xx, yy, xy [2]float64
	step := func(lane, at int) {
		v, w := float64(math.Float32frombits(le.Uint32(x[at:]))), float64(math.Float32frombits(le.Uint32(y[at:])))
		xx[lane] += float64(v * v)
		yy[lane] += float64(w * w)
		xy[lane] += float64(v * w)
	}
	n := len(x) / 4
	for i := 0; i+1 < n; i += 2 {
		step(0, 4*i)
		step(1, 4*i+4)
	}
	if n%2 == 1 {
		step(0, 4*(n-1))
	}
	return rowSums{xx[0] + xx[1], yy[0] + yy[1], xy[0] + xy[1]}
}
