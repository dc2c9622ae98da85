package adapter

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"wfs/formats/keys"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// matching is an adapter on its way to the tensors of a model.
type matching struct {
	*Adapter
	*resolver
	merges []*Merge // a place for each tensor of the model
	lacks  []string // paths of the adapter that the model has nothing for
	why    string   // what may be the reason
	// stored holds the linear layers that say by their shape whether the model keeps weights
	// as (in, out).
	stored []orientation
}

// Match finds the tensors of a model that the adapter changes, and makes a Merge for each, by
// Base.Name. What cannot be merged truthfully is an error of one line, and so is a part of the
// adapter that the model has no tensor for.
func (a *Adapter) Match(base []Base) (map[string]*Merge, error) {
	a.notes = nil
	m := &matching{Adapter: a, resolver: newResolver(base), merges: make([]*Merge, len(base))}
	if a.config != nil && a.config.tooMany(len(a.modules)) {
		return nil, a.errorf("adapter_config.json has %d patterns for %d layers: matching them would take minutes", len(a.config.ranks)+len(a.config.alphas), len(a.modules))
	}
	if err := m.orient(); err != nil {
		return nil, err
	}
	for _, p := range a.plain {
		if err := m.replace(p); err != nil {
			return nil, err
		}
	}
	for i := 0; i < len(a.modules); {
		n := 1
		for i+n < len(a.modules) && a.modules[i+n].path == a.modules[i].path {
			n++
		}
		if err := m.layer(a.modules[i : i+n]); err != nil {
			return nil, err
		}
		i += n
	}
	if len(m.lacks) > 0 {
		return nil, m.unmatched()
	}
	if err := m.tied(); err != nil {
		return nil, err
	}
	merges := map[string]*Merge{}
	for i, merge := range m.merges {
		if merge != nil {
			merges[base[i].Name()] = merge
		}
	}
	return merges, nil
}

// unmatched says what the model has not.
func (m *matching) unmatched() error {
	all := len(m.modules) + len(m.plain)
	what := fmt.Sprintf("the model has no tensor for %s of the adapter", list(m.lacks))
	if len(m.lacks) >= all {
		what += ": it is of another model"
	} else if m.why != "" {
		what += ": " + m.why
	}
	return m.errorf("%s", what)
}

// lack remembers that the model has nothing for a path.
func (m *matching) lack(path string) { m.lacks = append(m.lacks, path) }

// of finds the tensor that a key of the adapter means.
func (m *matching) of(key string) (i int, ok bool, err error) {
	i, ok, err = m.find(key)
	var two *ambiguous
	if errors.As(err, &two) {
		err = m.errorf("%w: mount the part of the model that it is for", err)
	}
	return i, ok, err
}

// weight finds the weight of a layer.
func (m *matching) weight(l *module) (i int, ok bool, err error) {
	if l.underscores {
		i, ok, err = m.findFlat(l.path)
		if err != nil {
			err = m.errorf("%w", err)
		}
		return i, ok, err
	}
	return m.of(l.path + ".weight")
}

// merge is the Merge of a tensor, a new one where it has none.
func (m *matching) merge(i int) *Merge {
	if m.merges[i] == nil {
		m.merges[i] = &Merge{name: m.Name, shape: m.base[i].Shape, dtype: m.base[i].DType}
	}
	return m.merges[i]
}

// does adds to what a Merge says.
func (m *Merge) does(what string) {
	if m.What != "" {
		what = m.What + ", " + what
	}
	m.What = what
}

// add has a tensor merged with a product.
func (m *matching) add(i int, l *module, what string, added *addition) error {
	b := m.base[i]
	if !ops.AddsScaled(b.DType) {
		hint := "cast it first"
		if b.DType.Bits() == 0 || b.DType.Bits() <= 8 || !ops.Widens(b.DType) {
			hint = "a quantized model takes an adapter with --dequantize"
		}
		return m.errorf("%.200q of the model is %s, and adapters are merged into F32, F16 and BF16: %s", b.Name(), b.DType, hint)
	}
	merge := m.merge(i)
	if merge.added != nil {
		return m.errorf("%.200q of the model is changed twice, by %.200q too", b.Name(), l.path)
	}
	merge.added = added
	merge.does(fmt.Sprintf("%s (%s)", what, l.path))
	return nil
}

// replace has a tensor of the adapter in the place of the model's: of modules_to_save, a bias
// that was trained, or the embeddings that PEFT writes beside a LoRA of them.
func (m *matching) replace(p plain) error {
	i, ok, err := m.of(p.key)
	if err != nil || !ok {
		if err == nil {
			m.lack(p.key)
			m.why = "wfs changes tensors and adds none"
		}
		return err
	}
	b := m.base[i]
	if !slices.Equal(p.Shape, b.Shape) {
		return m.errorf("%.200q is %s, and the model's is %s", p.Key, ops.Of(p.Tensor), b.Array)
	}
	if !ops.Casts(p.DType, b.DType) {
		return m.errorf("%.200q is %s, and the model's is %s: wfs does not cast that", p.Key, p.DType, b.DType)
	}
	merge := m.merge(i)
	if merge.replaced != nil {
		return m.errorf("%.200q and %.200q are both %.200q of the model", merge.replaced.Key, p.Key, b.Name())
	}
	merge.replaced = p.Tensor
	merge.does("replaced by " + p.key)
	return nil
}

// layer matches what has one path: a layer, or several parameters of one.
func (m *matching) layer(wrappers []*module) error {
	l := wrappers[0]
	if l.parts[tokenRows] != nil {
		if err := m.tokens(l); err != nil || len(l.parts) == 1 {
			return err
		}
	}
	if m.config != nil && l.parts[loraA] != nil {
		if done, err := m.parameters(wrappers); done || err != nil {
			return err
		}
	}
	if len(wrappers) > 1 {
		return m.errorf("%.200q has several adapters in each other, and its configuration names no target_parameters of it", l.path)
	}
	switch {
	case l.parts[embeddingA] != nil || l.parts[embeddingB] != nil:
		return m.embedding(l)
	case l.parts[loraA] != nil || l.parts[loraB] != nil:
		return m.linear(l)
	case hasAny(l, hadaW1A, hadaW1B, hadaW2A, hadaW2B):
		return m.loha(l)
	case hasAny(l, lokrW1, lokrW1A, lokrW1B, lokrW2, lokrW2A, lokrW2B):
		return m.lokr(l)
	}
	for _, p := range sortedKeys(l.parts) {
		return m.errorf("%.200q is all that %.200q has: its factors are missing", l.parts[p].Key, l.path)
	}
	return nil
}

func hasAny(l *module, parts ...part) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return l.parts[p] != nil })
}

// only refuses parts that a layer of its kind has no use for.
func (m *matching) only(l *module, parts ...part) error {
	for _, p := range sortedKeys(l.parts) {
		if p != alpha && p != tokenRows && !slices.Contains(parts, p) {
			return m.errorf("%.200q is beside parts that it does not go with", l.parts[p].Key)
		}
	}
	return nil
}

// tokens matches rows of an embedding that were trained, and are not added but replace.
func (m *matching) tokens(l *module) error {
	t := l.parts[tokenRows]
	i, ok, err := m.of(l.path + ".weight")
	if err != nil || !ok {
		if err == nil {
			m.lack(l.path)
		}
		return err
	}
	b := m.base[i]
	indices, err := m.config.tokensFor(l.path)
	if err != nil {
		return m.errorf("%w", err)
	}
	if len(b.Shape) != 2 || len(t.Shape) != 2 || t.Shape[1] != b.Shape[1] || t.Shape[0] != int64(len(indices)) {
		return m.errorf("%.200q is %s, for %d tokens of a tensor of the model that is %s", t.Key, ops.Of(t), len(indices), b.Array)
	}
	if !ops.AddsScaled(b.DType) {
		return m.errorf("%.200q of the model is %s, and rows are replaced in F32, F16 and BF16", b.Name(), b.DType)
	}
	rows := make(map[int64]int64, len(indices))
	for row, token := range indices {
		if token < 0 || token >= b.Shape[0] {
			return m.errorf("token %d of trainable_token_indices is none of the %d that %.200q has", token, b.Shape[0], b.Name())
		}
		rows[token] = int64(row)
	}
	merge := m.merge(i)
	merge.rows, merge.tokens = rows, t
	merge.does(fmt.Sprintf("%d rows replaced (%s)", len(rows), l.path))
	return nil
}

// place is what tied tensors have in common.
type place struct {
	src   io.ReaderAt
	at    int64
	array string // dtype and shape
}

// placeOf is where a tensor lies, if that can be said.
func placeOf(b Base) (p place, ok bool) {
	size := b.Data.Size()
	src, at, n := segment.Origin(b.Data, 0)
	return place{src, at, b.Array.String()}, src != nil && size > 0 && n >= size && reflect.ValueOf(src).Comparable()
}

// tied has tensors changed that are one with a changed one: PEFT changes the weights that they
// share. What is replaced comes apart.
func (m *matching) tied() error {
	groups := map[place][]int{}
	var order []place
	for i, b := range m.base {
		if p, ok := placeOf(b); ok {
			if groups[p] == nil {
				order = append(order, p)
			}
			groups[p] = append(groups[p], i)
		}
	}
	for _, p := range order {
		if err := m.tie(groups[p]); err != nil {
			return err
		}
	}
	return nil
}

// tie settles what happens to tensors that are one.
func (m *matching) tie(group []int) error {
	var changed, replaced, same []int
	for _, i := range group {
		switch merge := m.merges[i]; {
		case merge == nil:
			same = append(same, i)
		case merge.added != nil || merge.tokens != nil:
			changed = append(changed, i)
		default:
			replaced = append(replaced, i)
		}
	}
	name := func(i int) string { return keys.Visible(m.base[i].Name()) }
	others := func(indices []int) string {
		if more := len(indices) - 1; more > 0 {
			return fmt.Sprintf("%s and %d more", name(indices[0]), more)
		}
		return name(indices[0])
	}
	if len(changed) > 1 {
		return m.errorf("%.200q and %.200q are one tensor in the model, and the adapter changes each in its own way", m.base[changed[0]].Name(), m.base[changed[1]].Name())
	}
	if len(changed) == 1 && len(same) > 0 {
		for _, i := range same {
			m.merges[i] = m.merges[changed[0]]
		}
		m.note("%s: tied to %s, and changed with it", others(same), name(changed[0]))
	}
	if apart := slices.Concat(changed, same); len(replaced) > 0 && len(apart) > 0 {
		m.note("%s and %s are one tensor in the file, and not with %s: a configuration that ties them (tie_word_embeddings) would undo it", others(replaced), others(apart), m.Name)
	}
	return nil
}
