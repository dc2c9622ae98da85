package adapter

import (
	"math"

	"wfs/formats/ops"
	"wfs/formats/segment"
)

// dora scales rows of W + delta·s to lengths that were trained: m / ‖W + delta·s‖
// (peft/tuners/lora/variants.py, DoraLinearVariant). Where the weights are stored transposed,
// columns. The lengths are those with the weights that the model has without any adapter.
type dora struct {
	magnitude *stored // 1 × rows, or columns
	base      ops.Array
	columns   bool
	held      *cache
}

// normRows is how many rows' norms are made and held together.
const normRows = 16

// mostColumns is the most columns whose norms are made: their sums are in float64.
const mostColumns = 1 << 22

type normKey struct {
	d     *dora
	scale float32
	block int64
}

// apply scales a tile, x being delta's, and rounds it.
func (d *dora) apply(t *tile, w *work, dst []byte, x ops.Matrix, row, col int64) error {
	_, cols := t.delta.size()
	var factors []float32
	if d.columns {
		all, err := d.factors(t, w, 0, cols)
		if err != nil {
			return err
		}
		factors = all[col:]
	}
	sum := w.floats(x.Cols)
	for i := range x.Rows {
		at := i * int(cols) * t.unit
		seg, delta := dst[at:at+x.Cols*t.unit], x.Data[i*x.Stride:][:x.Cols]
		ops.Widen(sum, seg, t.w.DType)
		if d.columns {
			for j, v := range delta {
				sum[j] = (sum[j] + float32(v*t.scale)) * factors[j]
			}
		} else {
			r := row + int64(i)
			of, err := d.factors(t, w, r/normRows, min(normRows, d.magnitude.cols-r/normRows*normRows))
			if err != nil {
				return err
			}
			f := of[r%normRows]
			for j, v := range delta {
				sum[j] = (sum[j] + float32(v*t.scale)) * f
			}
		}
		ops.Narrow(seg, sum, t.w.DType)
	}
	return nil
}

// factors are m / ‖W + delta·s‖ of a block of rows, or of all columns.
func (d *dora) factors(t *tile, w *work, block, count int64) ([]float32, error) {
	return d.held.keep(normKey{d, t.scale, block}, func() ([]float32, error) {
		base := *t
		base.w = d.base
		rows, cols := t.delta.size()
		first := int64(0)
		if !d.columns {
			first, rows = block*normRows, count
		}
		squares := make([]float64, count)
		read := w.read
		inner := begin(read)
		defer inner.end()
		err := tiles(first*cols, rows*cols, cols, func(row, col int64, rows, n int) error {
			inner.used = 0
			return d.square(&base, inner, squares, row, col, rows, n, first)
		})
		if err != nil {
			return nil, err
		}
		m, err := d.magnitude.window(inner, 0, first, 1, int(count))
		if err != nil {
			return nil, err
		}
		factors := make([]float32, count)
		for i, s := range squares {
			factors[i] = m.Data[i] / float32(math.Sqrt(s))
		}
		return factors, nil
	})
}

// square adds the squares of a tile.
func (d *dora) square(t *tile, w *work, squares []float64, row, col int64, rows, n int, first int64) error {
	_, cols := t.delta.size()
	x, err := t.delta.window(w, row, col, rows, n)
	if err != nil {
		return err
	}
	sum, weights := w.floats(n), w.bytes(n*t.unit)
	for i := range rows {
		if err := segment.Fill(w.read, t.w.Data, weights, ((row+int64(i))*cols+col)*int64(t.unit)); err != nil {
			return err
		}
		ops.Widen(sum, weights, t.w.DType)
		delta := x.Data[i*x.Stride:][:n]
		if d.columns {
			for j, v := range delta {
				v = sum[j] + float32(v*t.scale)
				squares[col+int64(j)] += float64(v) * float64(v)
			}
			continue
		}
		var even, odd float64 // neither waits for the other
		for j := 0; j+1 < n; j += 2 {
			u, v := sum[j]+float32(delta[j]*t.scale), sum[j+1]+float32(delta[j+1]*t.scale)
			even += float64(u) * float64(u)
			odd += float64(v) * float64(v)
		}
		if n%2 != 0 {
			v := sum[n-1] + float32(delta[n-1]*t.scale)
			even += float64(v) * float64(v)
		}
		squares[row+int64(i)-first] += even + odd
	}
	return nil
}
