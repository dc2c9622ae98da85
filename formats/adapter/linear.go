package adapter

import (
	"fmt"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// flat is a shape as rows × columns: the first dimension, and all others.
func flat(shape []int64) (rows, cols int64) {
	if len(shape) == 0 {
		return 1, 1
	}
	cols, err := segment.Count(shape[1:])
	if err != nil { // only where there is a size of 0: its bytes were counted
		return 0, 0
	}
	return shape[0], cols
}

// low is the factors of a low-rank product: (out, rank) and (rank, in), where in is all
// dimensions of a convolution's kernel but the first.
type low struct {
	a, b          *checkpoint.Tensor
	out, rank, in int64
}

// lowOf takes two factors as a product.
func (m *matching) lowOf(a, b *checkpoint.Tensor) (low, error) {
	l := low{a: a, b: b}
	var across int64
	l.rank, l.in = flat(a.Shape)
	l.out, across = flat(b.Shape)
	if across != l.rank {
		return l, m.errorf("%.200q is %s and %.200q is %s: their ranks differ", a.Key, ops.Of(a), b.Key, ops.Of(b))
	}
	if l.rank > maxRank {
		return l, m.errorf("%.200q has a rank of %d, and wfs merges up to %d", a.Key, l.rank, maxRank)
	}
	return l, nil
}

// sameKernel reports whether a factor's kernel is that of the weights, where both have one: a
// linear layer's factor may have one of 1 × 1.
func sameKernel(factor, weights []int64) bool {
	for i := 2; i < max(len(factor), len(weights)); i++ {
		x, y := int64(1), int64(1)
		if i < len(factor) {
			x = factor[i]
		}
		if i < len(weights) {
			y = weights[i]
		}
		if x != y {
			return false
		}
	}
	return true
}

// fits reports whether the product has the shape of weights, as they are or transposed.
func (l low) fits(shape []int64) (plain, transposed bool) {
	rows, cols := flat(shape)
	plain = len(shape) >= 2 && rows == l.out && cols == l.in && sameKernel(l.a.Shape, shape)
	transposed = len(shape) == 2 && len(l.a.Shape) == 2 && rows == l.in && cols == l.out
	return plain, transposed
}

// product is the matrices multiplied, or of transposed weights their transposes in turn.
func (m *matching) product(l low, transposed bool) (matrix, error) {
	if !transposed {
		left, err := m.rowsOf(l.b, false, l.out, l.rank)
		if err != nil {
			return nil, err
		}
		right, err := m.rowsOf(l.a, true, l.rank, l.in)
		if err != nil {
			return nil, err
		}
		return times(left, right), nil
	}
	left, err := m.transposedOf(l.a, l.in, l.rank)
	if err != nil {
		return nil, err
	}
	right, err := m.transposedOf(l.b, l.rank, l.out)
	if err != nil {
		return nil, err
	}
	return times(left, right), nil
}

// orientation is a layer whose shape says how its weights are stored.
type orientation struct {
	path       string
	transposed bool
}

// orient looks at the layers whose weights are not square. PEFT finds out by the class of a
// layer (GPT-2's Conv1D), and its configuration has what was right for one of them.
func (m *matching) orient() error {
	for _, l := range m.modules {
		a, b := l.parts[loraA], l.parts[loraB]
		if a == nil || b == nil || l.underscores {
			continue
		}
		i, ok, err := m.of(l.path + ".weight")
		if err != nil || !ok {
			continue // said later
		}
		low, err := m.lowOf(a, b)
		if err != nil {
			return err
		}
		if plain, transposed := low.fits(m.base[i].Shape); plain != transposed {
			m.stored = append(m.stored, orientation{l.path, transposed})
		}
	}
	return nil
}

// transposed says whether square weights are stored as (in, out): as those of the nearest
// layer are that are not square, or as the configuration says.
func (m *matching) transposed(path string) bool {
	best, answer := -1, m.config != nil && m.config.fanInFanOut
	for _, o := range m.stored {
		n := 0
		for n < len(o.path) && n < len(path) && o.path[n] == path[n] {
			n++
		}
		if shared := strings.Count(path[:n], "."); shared > best {
			best, answer = shared, o.transposed
		}
	}
	return answer
}

// linear matches a LoRA of a linear layer, a convolution, or an attention in one piece.
func (m *matching) linear(l *module) error {
	if err := m.only(l, loraA, loraB, loraMid, loraBias, magnitude); err != nil {
		return err
	}
	a, err := m.tensor(l, loraA)
	if err != nil {
		return err
	}
	b, err := m.tensor(l, loraB)
	if err != nil {
		return err
	}
	i, ok, err := m.weight(l)
	rounded := false
	if err == nil && !ok && !l.underscores { // torch.nn.MultiheadAttention
		i, ok, err = m.of(l.path + ".in_proj_weight")
		rounded = ok
	}
	if err != nil {
		return err
	}
	if !ok {
		if l.underscores && m.why == "" {
			m.why = "it may be for a whole pipeline; mount the directory of that"
		}
		m.explainExperts(l.path)
		m.lack(l.path)
		return nil
	}
	base := m.base[i]
	low, err := m.lowOf(a, b)
	if err != nil {
		return err
	}
	var delta matrix
	columns := false
	if mid := l.parts[loraMid]; mid != nil {
		if delta, err = m.middle(mid, low, base); err != nil {
			return err
		}
	} else {
		plain, transposed := low.fits(base.Shape)
		if plain && transposed {
			transposed = m.transposed(l.path)
		}
		if !plain && !transposed {
			return m.errShape(a, b, base)
		}
		if delta, err = m.product(low, transposed); err != nil {
			return err
		}
		columns = transposed
	}
	scale, err := m.scale(l, l.path, low.rank)
	if err != nil {
		return err
	}
	added := &addition{delta: delta, scale: scale, separate: l.underscores, rounded: rounded}
	if err := m.magnitude(l, added, base, columns); err != nil {
		return err
	}
	if err := m.add(i, l, fmt.Sprintf("LoRA of rank %d", low.rank), added); err != nil {
		return err
	}
	if l.inner && m.attention(l.path) {
		added.rounded = true
		m.merges[i].again = &addition{delta: delta, scale: scale}
		m.note("PEFT adds the adapter of %s twice, when it trains and when it merges, and so does wfs", keys.Visible(l.path))
	}
	return m.bias(l, scale)
}

// attention reports whether a layer is the out_proj of a torch.nn.MultiheadAttention that has
// an adapter. Its LoRA acts twice: first as a part of the attention, and then as a layer of
// its own (peft/tuners/lora/layer.py, MultiheadAttention.merge), before a training has ended
// and after it.
func (m *matching) attention(path string) bool {
	parent, ok := strings.CutSuffix(path, ".out_proj")
	if !ok {
		return false
	}
	_, ok, err := m.of(parent + ".in_proj_weight")
	return ok && err == nil && slices.ContainsFunc(m.modules, func(l *module) bool { return l.path == parent && l.parts[loraA] != nil })
}

func (m *matching) errShape(a, b *checkpoint.Tensor, base Base) error {
	_, in := flat(a.Shape)
	what := ""
	if rows, cols := flat(base.Shape); len(base.Shape) > 2 && b.Shape[0] == rows && cols > 0 && in > cols && in%cols == 0 {
		what = ": PEFT does not merge a grouped convolution either"
	}
	return m.errorf("%.200q is %s and %.200q is %s, and their product is none of %.200q of the model, %s%s", a.Key, ops.Of(a), b.Key, ops.Of(b), base.Name(), base.Array, what)
}

// magnitude makes a DoRA of an addition where the layer has lengths.
func (m *matching) magnitude(l *module, added *addition, base Base, columns bool) error {
	t := l.parts[magnitude]
	if t == nil {
		if m.config != nil && m.config.dora {
			return m.errorf("use_dora is set, and %.200q has no %s", l.path, magnitude)
		}
		return nil
	}
	if m.config != nil && !m.config.dora {
		return m.errorf("it has %.200q, and its configuration does not set use_dora", t.Key)
	}
	rows, cols := added.delta.size()
	n := rows
	if columns {
		n = cols
	}
	if count, err := segment.Count(t.Shape); err != nil || count != n {
		return m.errorf("%.200q is %s, and %.200q has %d lengths", t.Key, ops.Of(t), base.Name(), n)
	}
	if columns && n > mostColumns {
		return m.errorf("%.200q has %d columns, and wfs scales those of DoRA up to %d", base.Name(), n, mostColumns)
	}
	lengths, err := m.rowsOf(t, true, 1, n)
	if err != nil {
		return err
	}
	if added.rounded {
		return m.errorf("%.200q: PEFT has no DoRA for a layer of its kind", t.Key)
	}
	added.dora = &dora{magnitude: lengths, base: base.Array, columns: columns, held: &m.cache}
	return nil
}

// bias matches the bias of lora_B.
func (m *matching) bias(l *module, scale float64) error {
	t := l.parts[loraBias]
	if t == nil {
		return nil
	}
	i, ok, err := m.of(l.path + ".bias")
	if err != nil {
		return err
	}
	if !ok {
		return m.errorf("%.200q cannot be merged: the layer has no bias in the model", t.Key)
	}
	base := m.base[i]
	n, _ := flat(base.Shape)
	if len(base.Shape) != 1 || len(t.Shape) != 1 || t.Shape[0] != n {
		return m.errorf("%.200q is %s, and %.200q of the model is %s", t.Key, ops.Of(t), base.Name(), base.Array)
	}
	delta, err := m.rowsOf(t, false, 1, n)
	if err != nil {
		return err
	}
	return m.add(i, l, "bias of its LoRA", &addition{delta: delta, scale: scale})
}

// embedding matches a LoRA of an embedding: W + (B·A)ᵀ·s.
func (m *matching) embedding(l *module) error {
	if err := m.only(l, embeddingA, embeddingB, magnitude); err != nil {
		return err
	}
	a, err := m.tensor(l, embeddingA)
	if err != nil {
		return err
	}
	b, err := m.tensor(l, embeddingB)
	if err != nil {
		return err
	}
	i, ok, err := m.weight(l)
	if err != nil || !ok {
		if err == nil {
			m.lack(l.path)
		}
		return err
	}
	base := m.base[i]
	low, err := m.lowOf(a, b)
	if err != nil {
		return err
	}
	if _, transposed := low.fits(base.Shape); !transposed {
		return m.errShape(a, b, base)
	}
	delta, err := m.product(low, true)
	if err != nil {
		return err
	}
	scale, err := m.scale(l, l.path, low.rank)
	if err != nil {
		return err
	}
	added := &addition{delta: delta, scale: scale, rounded: l.parts[magnitude] == nil}
	if err := m.magnitude(l, added, base, true); err != nil {
		return err
	}
	return m.add(i, l, fmt.Sprintf("LoRA of rank %d", low.rank), added)
}
