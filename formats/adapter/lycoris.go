package adapter

import (
	"cmp"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// CP-decomposed factors have a core of (rank, rank, kernel), and matrices of (rank, out) and
// (rank, in). Contracted with one of them, which PEFT does first, a core is a factor of an
// ordinary product: small, so that it is made whole.

// core is the size of a core's kernel, of which there are rank × rank.
func (m *matching) core(t *checkpoint.Tensor) (rank, kernel int64, err error) {
	if len(t.Shape) != 4 || t.Shape[0] != t.Shape[1] || t.Shape[0] > maxRank {
		return 0, 0, m.errorf("%.200q is %s, and a core is rank × rank × kernel", t.Key, ops.Of(t))
	}
	if n, err := segment.Count(t.Shape); err != nil || n > mostHeld/4 {
		return 0, 0, m.errorf("%.200q is %s, which is more than wfs computes with", t.Key, ops.Of(t))
	}
	return t.Shape[0], t.Shape[2] * t.Shape[3], nil
}

// contracted is Σ_j t[i,j,·]·w[j,·] of a core t and a matrix w of (rank, in): rank rows of
// in × kernel.
func (m *matching) contracted(t, w *checkpoint.Tensor) (matrix, error) {
	rank, kernel, err := m.core(t)
	if err != nil {
		return nil, err
	}
	n, in := flat(w.Shape)
	if n != rank {
		return nil, m.errorf("%.200q is %s and %.200q is %s: their ranks differ", t.Key, ops.Of(t), w.Key, ops.Of(w))
	}
	core, err := m.rowsOf(t, false, rank*rank, kernel)
	if err != nil {
		return nil, err
	}
	turned, err := m.transposedOf(w, in, rank)
	if err != nil {
		return nil, err
	}
	c, err := m.compute(rank, in*kernel, func(work *work) ([]float32, error) {
		all := make([]float32, rank*in*kernel)
		for i := range rank {
			err := multiply(work, all[i*in*kernel:][:in*kernel], turned, core, i*rank)
			if err != nil {
				return nil, err
			}
		}
		return all, nil
	})
	if err != nil {
		return nil, m.errorf("%.200q: %w", t.Key, err)
	}
	return c, nil
}

// multiply makes left times as many rows of right, from row on, in memory.
func multiply(w *work, into []float32, left, right matrix, row int64) error {
	used := w.used
	rows, n := left.size()
	_, cols := right.size()
	clear(into)
	out := ops.Matrix{Data: into, Rows: int(rows), Cols: int(cols), Stride: int(cols)}
	x, err := left.window(w, 0, 0, int(rows), int(n))
	if err != nil {
		return err
	}
	y, err := right.window(w, row, 0, int(n), int(cols))
	if err != nil {
		return err
	}
	ops.MulAdd(out, x, y)
	w.used = used
	return nil
}

// middle is a LoRA of a convolution in three factors: down (rank, in, 1, 1), mid (rank, rank,
// kernel) and up (out, rank, 1, 1).
func (m *matching) middle(mid *checkpoint.Tensor, l low, base Base) (matrix, error) {
	right, err := m.contracted(mid, l.a)
	if err != nil {
		return nil, err
	}
	left, err := m.rowsOf(l.b, false, l.out, l.rank)
	if err != nil {
		return nil, err
	}
	return m.shaped(times(left, right), base, l.a)
}

// shaped is delta, which has to have the elements of a tensor of the model.
func (m *matching) shaped(delta matrix, base Base, part *checkpoint.Tensor) (matrix, error) {
	rows, cols := flat(base.Shape)
	if r, c := delta.size(); len(base.Shape) < 2 || r != rows || c != cols {
		return nil, m.errorf("%.200q and the factors beside it make %d × %d, and %.200q of the model is %s", part.Key, r, c, base.Name(), base.Array)
	}
	return delta, nil
}

// lycorisLayer finds the weight of a layer, and says whether there is one.
func (m *matching) lycorisLayer(l *module) (i int, ok bool, err error) {
	i, ok, err = m.weight(l)
	if err == nil && !ok {
		m.lack(l.path)
	}
	return i, ok, err
}

// loha matches a LoHa: (w1a·w1b) ∘ (w2a·w2b) · s.
func (m *matching) loha(l *module) error {
	if err := m.only(l, hadaW1A, hadaW1B, hadaW2A, hadaW2B, hadaT1, hadaT2); err != nil {
		return err
	}
	i, ok, err := m.lycorisLayer(l)
	if err != nil || !ok {
		return err
	}
	first, rank, err := m.half(l, hadaW1A, hadaW1B, hadaT1)
	if err != nil {
		return err
	}
	second, other, err := m.half(l, hadaW2A, hadaW2B, hadaT2)
	if err != nil {
		return err
	}
	if r, c := first.size(); rank != other {
		return m.errorf("%.200q has a rank of %d, and its second half one of %d", l.path, rank, other)
	} else if r2, c2 := second.size(); r != r2 || c != c2 {
		return m.errorf("the halves of %.200q make %d × %d and %d × %d", l.path, r, c, r2, c2)
	}
	delta, err := m.shaped(&hadamard{first, second}, m.base[i], l.parts[hadaW1A])
	if err != nil {
		return err
	}
	scale, err := m.scale(l, l.path, rank)
	if err != nil {
		return err
	}
	return m.add(i, l, fmt.Sprintf("LoHa of rank %d", rank), &addition{delta: delta, scale: scale})
}

// half is one of the products of a LoHa.
func (m *matching) half(l *module, a, b, t part) (delta matrix, rank int64, err error) {
	wa, err := m.tensor(l, a)
	if err != nil {
		return nil, 0, err
	}
	wb, err := m.tensor(l, b)
	if err != nil {
		return nil, 0, err
	}
	rank, in := flat(wb.Shape)
	var left, right matrix
	if core := l.parts[t]; core != nil {
		n, out := flat(wa.Shape)
		if n != rank {
			return nil, 0, m.errorf("%.200q is %s and %.200q is %s: their ranks differ", wa.Key, ops.Of(wa), wb.Key, ops.Of(wb))
		}
		if right, err = m.contracted(core, wb); err != nil {
			return nil, 0, err
		}
		left, err = m.transposedOf(wa, out, rank)
	} else {
		out, n := flat(wa.Shape)
		if n != rank || rank > maxRank {
			return nil, 0, m.errorf("%.200q is %s and %.200q is %s: their ranks differ", wa.Key, ops.Of(wa), wb.Key, ops.Of(wb))
		}
		if right, err = m.rowsOf(wb, true, rank, in); err != nil {
			return nil, 0, err
		}
		left, err = m.rowsOf(wa, false, out, rank)
	}
	if err != nil {
		return nil, 0, err
	}
	return times(left, right), rank, nil
}

// lokr matches a LoKr: the Kronecker product w1 ⊗ w2 · s, each of them whole or a product.
func (m *matching) lokr(l *module) error {
	if err := m.only(l, lokrW1, lokrW1A, lokrW1B, lokrW2, lokrW2A, lokrW2B, lokrT2); err != nil {
		return err
	}
	i, ok, err := m.lycorisLayer(l)
	if err != nil || !ok {
		return err
	}
	if w2 := l.parts[lokrW2]; w2 != nil && len(w2.Shape) == 3 {
		return m.errorf("%.200q is of a Conv1d: PEFT does not put its Kronecker product where the weights are, and wfs merges no such", w2.Key)
	}
	w1, rank1, err := m.kroneckerFactor(l, lokrW1, lokrW1A, lokrW1B, "")
	if err != nil {
		return err
	}
	w2, rank2, err := m.kroneckerFactor(l, lokrW2, lokrW2A, lokrW2B, lokrT2)
	if err != nil {
		return err
	}
	if rank1 != 0 && rank2 != 0 && rank1 != rank2 {
		return m.errorf("the factors of %.200q have ranks of %d and %d", l.path, rank1, rank2)
	}
	delta, err := m.shaped(&kronecker{w1, w2}, m.base[i], cmp.Or(l.parts[lokrW1], l.parts[lokrW1A]))
	if err != nil {
		return err
	}
	rank := max(rank1, rank2)
	scale, err := m.scale(l, l.path, rank)
	if err != nil {
		return err
	}
	what := "LoKr"
	if rank > 0 {
		what += fmt.Sprintf(" of rank %d", rank)
	}
	return m.add(i, l, what, &addition{delta: delta, scale: scale})
}

// kroneckerFactor is a factor of a LoKr, and its rank, 0 where it is whole.
func (m *matching) kroneckerFactor(l *module, all, a, b, t part) (matrix, int64, error) {
	if w := l.parts[all]; w != nil {
		rows, cols := flat(w.Shape)
		if l.parts[a] != nil || l.parts[b] != nil {
			return nil, 0, m.errorf("%.200q is beside factors of itself", w.Key)
		}
		f, err := m.rowsOf(w, true, rows, cols)
		return f, 0, err
	}
	wa, err := m.tensor(l, a)
	if err != nil {
		return nil, 0, err
	}
	wb, err := m.tensor(l, b)
	if err != nil {
		return nil, 0, err
	}
	if core := l.parts[t]; t != "" && core != nil {
		return m.kroneckerCore(core, wa, wb)
	}
	rows, rank := flat(wa.Shape)
	n, cols := flat(wb.Shape)
	if n != rank || rank > maxRank {
		return nil, 0, m.errorf("%.200q is %s and %.200q is %s: their ranks differ", wa.Key, ops.Of(wa), wb.Key, ops.Of(wb))
	}
	left, err := m.rowsOf(wa, false, rows, rank)
	if err != nil {
		return nil, 0, err
	}
	right, err := m.rowsOf(wb, true, rank, cols)
	if err != nil {
		return nil, 0, err
	}
	f := times(left, right)
	if count, err := segment.Count([]int64{rows, cols}); err == nil && count <= mostHeld/4 { // asked for again and again
		whole, err := m.compute(rows, cols, func(w *work) ([]float32, error) {
			x, err := f.window(w, 0, 0, int(rows), int(cols))
			return append([]float32(nil), x.Data...), err
		})
		return whole, rank, err
	}
	return f, rank, nil
}

// kroneckerCore is Σ_ij t[i,j,·]·wa[i,·]·wb[j,·], i first (peft/tuners/lokr/layer.py,
// make_weight_cp).
func (m *matching) kroneckerCore(t, wa, wb *checkpoint.Tensor) (matrix, int64, error) {
	rank, kernel, err := m.core(t)
	if err != nil {
		return nil, 0, err
	}
	na, high := flat(wa.Shape)
	nb, wide := flat(wb.Shape)
	if na != rank || nb != rank {
		return nil, 0, m.errorf("%.200q is %s, %.200q is %s and %.200q is %s: their ranks differ", t.Key, ops.Of(t), wa.Key, ops.Of(wa), wb.Key, ops.Of(wb))
	}
	core, err := m.rowsOf(t, false, rank, rank*kernel)
	if err != nil {
		return nil, 0, err
	}
	a, err := m.transposedOf(wa, high, rank)
	if err != nil {
		return nil, 0, err
	}
	b, err := m.transposedOf(wb, wide, rank)
	if err != nil {
		return nil, 0, err
	}
	half, err := m.compute(high, rank*kernel, func(w *work) ([]float32, error) {
		all := make([]float32, high*rank*kernel)
		return all, multiply(w, all, a, core, 0)
	})
	if err == nil {
		var f matrix
		f, err = m.compute(high, wide*kernel, func(w *work) ([]float32, error) {
			all := make([]float32, high*wide*kernel)
			x, err := half.make(w)
			if err != nil {
				return nil, err
			}
			for p := range high {
				y := &held{x[p*rank*kernel:][:rank*kernel], rank, kernel}
				if err := multiply(w, all[p*wide*kernel:][:wide*kernel], b, y, 0); err != nil {
					return nil, err
				}
			}
			return all, nil
		})
		if err == nil {
			return f, rank, nil
		}
	}
	return nil, 0, m.errorf("%.200q: %w", t.Key, err)
}

// held is a matrix in memory.
type held struct {
	all        []float32
	rows, cols int64
}

func (m *held) size() (rows, cols int64) { return m.rows, m.cols }

func (m *held) window(_ *work, row, col int64, rows, cols int) (ops.Matrix, error) {
	return cut(m.all, m.cols, row, col, rows, cols), nil
}
