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
		p.add(products(bx[:n], bx[:n]))
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

// products is all sums of two arrays, in eight lanes that are added at the end. A product of
// two float32 is exact in float64, so that it is the same whether a sum of it is fused.
func products(x, y []byte) rowSums {
	var lanes sumLanes
	best.sums(&lanes, x, y)
	var total [3]float64
	for i, l := range lanes {
		total[i] = ((l[0] + l[4]) + (l[1] + l[5])) + ((l[2] + l[6]) + (l[3] + l[7]))
	}
	return rowSums{total[0], total[1], total[2]}
}

// sumLanes are those of x², y² and x·y: of every eighth number each.
type sumLanes [3][8]float64

// addProducts is kernels.sums in Go.
func addProducts(sums *sumLanes, x, y []byte) {
	for i := range len(x) / 4 {
		v, w := float64(math.Float32frombits(le.Uint32(x[4*i:]))), float64(math.Float32frombits(le.Uint32(y[4*i:])))
		sums[0][i%8] += float64(v * v)
		sums[1][i%8] += float64(w * w)
		sums[2][i%8] += float64(v * w)
	}
}
