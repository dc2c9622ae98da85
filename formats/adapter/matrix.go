package adapter

import (
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// matrix is float32 that are read, or computed, a window at a time.
type matrix interface {
	// size is in elements.
	size() (rows, cols int64)
	// window is rows × cols elements from row and col on, which lie inside. Nobody writes to
	// it: it may be held for others, and else is scratch memory of w.
	window(w *work, row, col int64, rows, cols int) (ops.Matrix, error)
}

// stored is a matrix of a file.
type stored struct {
	data       segment.Data // C order
	dtype      checkpoint.DType
	rows, cols int64
	held       *cache // where it is kept whole, nil where it is read anew
}

// storedOf is a tensor as a matrix whose element (i, j) is, for sizes of (a, b, c) and strides
// of (s, t, u), the one at s·(i/b) + t·(i%b) + u·j. It is held where it is read over and over, or not
// in the order of the file.
func (a *Adapter) storedOf(t *checkpoint.Tensor, hold bool, sizes, strides [3]int64) (*stored, error) {
	elem := int64(t.DType.Bits() / 8)
	data, err := segment.NewStrided(nil, t.Data, t.Data.Size(), 0, elem, sizes[:], strides[:])
	if err != nil {
		return nil, a.errorf("%.200q: %w", t.Key, err)
	}
	m := &stored{data: data, dtype: t.DType, rows: sizes[0] * sizes[1], cols: sizes[2]}
	if hold && m.rows*m.cols <= mostHeld/4 {
		m.held = &a.cache
	}
	return m, nil
}

// rowsOf is a tensor as rows × cols in the order of the file.
func (a *Adapter) rowsOf(t *checkpoint.Tensor, hold bool, rows, cols int64) (*stored, error) {
	return a.storedOf(t, hold, [3]int64{1, rows, cols}, [3]int64{0, cols, 1})
}

// transposedOf is rows × cols of a tensor that has cols × rows.
func (a *Adapter) transposedOf(t *checkpoint.Tensor, rows, cols int64) (*stored, error) {
	return a.storedOf(t, true, [3]int64{1, rows, cols}, [3]int64{0, 1, rows})
}

func (m *stored) size() (rows, cols int64) { return m.rows, m.cols }

func (m *stored) window(w *work, row, col int64, rows, cols int) (ops.Matrix, error) {
	if m.held == nil {
		return m.fetch(w, row, col, rows, cols)
	}
	all, err := m.whole(w)
	if err != nil {
		return ops.Matrix{}, err
	}
	return cut(all, m.cols, row, col, rows, cols), nil
}

// whole is the matrix as it is held.
func (m *stored) whole(w *work) ([]float32, error) {
	return m.held.keep(m, func() ([]float32, error) { return m.load(w) })
}

// cut is a window of rows of width elements.
func cut(all []float32, width, row, col int64, rows, cols int) ops.Matrix {
	if rows == 0 || cols == 0 {
		return ops.Matrix{Rows: rows, Cols: cols, Stride: cols}
	}
	begin := row*width + col
	return ops.Matrix{Data: all[begin : begin+int64(rows-1)*width+int64(cols)], Rows: rows, Cols: cols, Stride: int(width)}
}

// loaded is the most bytes that are read at once.
const loaded = 1 << 20

// load is all elements.
func (m *stored) load(w *work) ([]float32, error) {
	all := make([]float32, m.rows*m.cols)
	elem := m.dtype.Bits() / 8
	for done := 0; done < len(all); {
		n := min(loaded/elem, len(all)-done)
		if err := m.read(w, all[done:done+n], int64(done)); err != nil {
			return nil, err
		}
		done += n
	}
	return all, nil
}

// read fills dst from an element on.
func (m *stored) read(w *work, dst []float32, first int64) error {
	elem := m.dtype.Bits() / 8
	b := w.bytes(len(dst) * elem)
	if err := segment.Fill(w.read, m.data, b, first*int64(elem)); err != nil {
		return err
	}
	ops.Widen(dst, b, m.dtype)
	return nil
}

func (m *stored) fetch(w *work, row, col int64, rows, cols int) (ops.Matrix, error) {
	out := w.matrix(rows, cols)
	if int64(cols) == m.cols {
		return out, m.read(w, out.Data, row*m.cols)
	}
	for i := range rows {
		if err := m.read(w, out.Data[i*cols:][:cols], (row+int64(i))*m.cols+col); err != nil {
			return out, err
		}
	}
	return out, nil
}

// product is left times right, or a stack of such: each block of rows has its own rank rows
// of right.
type product struct {
	left, right matrix
	block       int64 // rows
	rank        int64
}

// times is left times right.
func times(left, right matrix) *product {
	rows, rank := left.size()
	return &product{left, right, max(rows, 1), rank}
}

func (m *product) size() (rows, cols int64) {
	rows, _ = m.left.size()
	_, cols = m.right.size()
	return rows, cols
}

// inner is the most columns of left that are taken at once.
const inner = 512

func (m *product) window(w *work, row, col int64, rows, cols int) (ops.Matrix, error) {
	out := w.matrix(rows, cols)
	clear(out.Data)
	for done := 0; done < rows; {
		n := min(rows-done, int(m.block-(row+int64(done))%m.block))
		band := ops.Matrix{Data: out.Data[done*cols:][:n*cols], Rows: n, Cols: cols, Stride: cols}
		if err := m.add(w, band, row+int64(done), col); err != nil {
			return out, err
		}
		done += n
	}
	return out, nil
}

// add adds rows of one block.
func (m *product) add(w *work, out ops.Matrix, row, col int64) error {
	used := w.used
	for k := int64(0); k < m.rank; k += inner {
		n := int(min(inner, m.rank-k))
		left, err := m.left.window(w, row, k, out.Rows, n)
		if err != nil {
			return err
		}
		right, err := m.right.window(w, row/m.block*m.rank+k, col, n, out.Cols)
		if err != nil {
			return err
		}
		ops.MulAdd(out, left, right)
		w.used = used
	}
	return nil
}

// hadamard is two matrices multiplied element by element.
type hadamard struct{ a, b matrix }

func (m *hadamard) size() (rows, cols int64) { return m.a.size() }

func (m *hadamard) window(w *work, row, col int64, rows, cols int) (ops.Matrix, error) {
	a, err := m.a.window(w, row, col, rows, cols)
	if err != nil {
		return a, err
	}
	b, err := m.b.window(w, row, col, rows, cols)
	if err != nil {
		return b, err
	}
	out := w.matrix(rows, cols)
	for i := range rows {
		x, y, z := a.Data[i*a.Stride:][:cols], b.Data[i*b.Stride:][:cols], out.Data[i*cols:][:cols]
		for j := range z {
			z[j] = x[j] * y[j]
		}
	}
	return out, nil
}

// kronecker is the Kronecker product: element (i, j) of a times all of b is block (i, j).
type kronecker struct{ a, b matrix }

func (m *kronecker) size() (rows, cols int64) {
	ar, ac := m.a.size()
	br, bc := m.b.size()
	return ar * br, ac * bc
}

func (m *kronecker) window(w *work, row, col int64, rows, cols int) (ops.Matrix, error) {
	out := w.matrix(rows, cols)
	high, wide := m.b.size()
	for y := 0; y < rows; {
		i, p := (row+int64(y))/high, (row+int64(y))%high
		n := int(min(int64(rows-y), high-p))
		for x := 0; x < cols; {
			j, q := (col+int64(x))/wide, (col+int64(x))%wide
			k := int(min(int64(cols-x), wide-q))
			used := w.used
			a, err := m.a.window(w, i, j, 1, 1)
			if err != nil {
				return out, err
			}
			f := a.Data[0]
			b, err := m.b.window(w, p, q, n, k)
			if err != nil {
				return out, err
			}
			for r := range n {
				dst, src := out.Data[(y+r)*cols+x:][:k], b.Data[r*b.Stride:][:k]
				for c := range dst {
					dst[c] = f * src[c]
				}
			}
			w.used = used
			x += k
		}
		y += n
	}
	return out, nil
}

// computed is a small matrix that is made whole, and held.
type computed struct {
	rows, cols int64
	make       func(w *work) ([]float32, error)
	held       *cache
}

// compute is a matrix that make fills. One that is too large to be held is an error.
func (a *Adapter) compute(rows, cols int64, make func(w *work) ([]float32, error)) (*computed, error) {
	if n, err := segment.Count([]int64{rows, cols}); err != nil || n > mostHeld/4 {
		return nil, fmt.Errorf("a factor of %d × %d is more than wfs computes", rows, cols)
	}
	return &computed{rows, cols, make, &a.cache}, nil
}

func (m *computed) size() (rows, cols int64) { return m.rows, m.cols }

func (m *computed) window(w *work, row, col int64, rows, cols int) (ops.Matrix, error) {
	all, err := m.held.keep(m, func() ([]float32, error) { return m.make(w) })
	if err != nil {
		return ops.Matrix{}, err
	}
	return cut(all, m.cols, row, col, rows, cols), nil
}
