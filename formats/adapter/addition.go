package adapter

import (
	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// addition is W + delta·scale, in the order of rounding of one tool or another.
type addition struct {
	delta matrix
	scale float64
	// separate says that the user's weight is multiplied by itself, before the scale, and not
	// with it (sd-scripts networks/lora.py, merge_to).
	separate bool
	// rounded says that delta is rounded to the dtype of the weights before it is added, as
	// PEFT does for embeddings, parameters and attention in one piece.
	rounded bool
	// dora is nil for all but DoRA.
	dora *dora
}

// A tile of the product stays in the processor's second cache, with what it is made of.
const (
	tileRows = 64
	tileCols = 1152 // whole panels of MulAdd
	tileArea = tileRows * tileCols
)

// apply is w, whose elements fill delta's rows and columns, with delta added.
func (m *addition) apply(w ops.Array, weight float64) ops.Array {
	unit := int64(w.DType.Bits() / 8)
	rows, cols := m.delta.size()
	before, scale := float32(1), float32(m.scale*weight)
	if m.separate {
		before, scale = float32(weight), float32(m.scale)
	}
	t := &tile{m, w, before, scale, int(unit)}
	return ops.Array{DType: w.DType, Shape: w.Shape, Data: &segment.Computed{
		N: rows * cols, Unit: unit,
		Make: func(read segment.ReadFunc, dst []byte, first int64) error {
			if err := segment.Fill(read, w.Data, dst, first*unit); err != nil {
				return err
			}
			work := begin(read)
			defer work.end()
			return tiles(first, int64(len(dst))/unit, cols, func(row, col int64, rows, n int) error {
				work.used = 0
				at := (row*cols + col - first) * unit
				return t.add(work, dst[at:], row, col, rows, n)
			})
		},
	}}
}

// tiles cuts count elements from first on, of rows of cols, into rectangles.
func tiles(first, count, cols int64, do func(row, col int64, rows, n int) error) error {
	for end := first + count; first < end; {
		row, col := first/cols, first%cols
		rows, n := int64(1), min(cols-col, end-first)
		if whole := (end - first) / cols; col == 0 && whole > 0 {
			rows, n = whole, cols
		}
		step := min(n, tileCols)
		for r := int64(0); r < rows; {
			high := min(rows-r, tileArea/step)
			for c := int64(0); c < n; c += step {
				if err := do(row+r, col+c, int(high), int(min(step, n-c))); err != nil {
					return err
				}
			}
			r += high
		}
		first += rows * n
	}
	return nil
}

// tile is an addition with the weights and factors of one Apply.
type tile struct {
	*addition
	w             ops.Array
	before, scale float32
	unit          int
}

// add adds a tile to the weights that dst begins with.
func (t *tile) add(w *work, dst []byte, row, col int64, rows, n int) error {
	x, err := t.product(w, row, col, rows, n)
	if err != nil {
		return err
	}
	_, cols := t.delta.size()
	if t.dora != nil {
		return t.dora.apply(t, w, dst, x, row, col)
	}
	scale := t.scale
	if t.rounded {
		scale = 1
	}
	if n == int(cols) && x.Stride == n && rows > 1 { // one run
		x.Rows, x.Cols = 1, rows*n
	}
	for i := range x.Rows {
		at := i * int(cols) * t.unit
		ops.AddScaled(dst[at:at+x.Cols*t.unit], x.Data[i*x.Stride:][:x.Cols], scale, t.w.DType)
	}
	return nil
}

// product is delta, with what comes before the last scale.
func (t *tile) product(w *work, row, col int64, rows, n int) (ops.Matrix, error) {
	x, err := t.delta.window(w, row, col, rows, n)
	if err != nil || t.before == 1 && !t.rounded {
		return x, err
	}
	out := w.matrix(rows, n)
	for i := range rows {
		src, dst := x.Data[i*x.Stride:][:n], out.Data[i*n:][:n]
		for j, v := range src {
			v *= t.before
			if t.rounded {
				v *= t.scale
			}
			dst[j] = v
		}
	}
	if t.rounded {
		round(w, out.Data, t.w.DType)
	}
	return out, nil
}

// round rounds numbers to a dtype.
func round(w *work, f []float32, d checkpoint.DType) {
	if d == checkpoint.F32 {
		return
	}
	b := w.bytes(len(f) * d.Bits() / 8)
	ops.Narrow(b, f, d)
	ops.Widen(f, b, d)
}
