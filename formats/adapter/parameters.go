package adapter

import (
	"fmt"
	"slices"
	"strings"

	"wfs/formats/ops"
)

// candidate is a parameter that target_parameters names.
type candidate struct {
	path string // in the adapter
	base int
}

// candidates are the parameters of a module that target_parameters names, and those of them
// that the model has.
func (m *matching) candidates(path string) (named int, found []candidate, err error) {
	seen := map[string]bool{}
	for _, target := range m.config.parameters {
		leaf := target[strings.LastIndexByte(target, '.')+1:]
		full := path + "." + leaf
		if seen[full] || full != target && !strings.HasSuffix(full, "."+target) {
			continue
		}
		seen[full] = true
		i, ok, err := m.of(full)
		if err != nil {
			return 0, nil, err
		}
		if ok {
			found = append(found, candidate{full, i})
		}
	}
	return len(seen), found, nil
}

// wrapped is a LoRA of a parameter: of weights (out, in), or of a stack of such, one for each
// expert, stored as (experts, out, in) or transposed as (experts, in, out). A has the ranks of
// the first expert, then those of the second; B has the first rank of all experts, then the
// second (peft/tuners/lora/layer.py, ParamWrapper.get_delta_weight).
type wrapped struct {
	candidate
	low
	experts    int64
	transposed bool
}

// fitsParameter is how a product can be one of a parameter.
func fitsParameter(l low, c candidate, shape []int64) (fits []wrapped) {
	w := wrapped{candidate: c, low: l, experts: 1}
	switch len(shape) {
	case 2:
		if l.out == shape[0] && l.in == shape[1] {
			fits = append(fits, w)
		}
	case 3:
		w.experts = shape[0]
		if w.experts == 0 || l.rank%w.experts != 0 {
			break
		}
		if l.out == shape[1] && l.in == shape[2] {
			fits = append(fits, w)
		}
		if l.in == shape[1] && l.out == shape[2] {
			w.transposed = true
			fits = append(fits, w)
		}
	}
	return fits
}

// parameters matches the LoRAs of a module's parameters. PEFT nests a wrapper for each and
// writes no name, so they are told apart by their shapes. done is false where the module has
// no such parameter.
func (m *matching) parameters(wrappers []*module) (done bool, err error) {
	named, candidates, err := m.candidates(wrappers[0].path)
	if err != nil || named == 0 {
		return false, err
	}
	if len(candidates) == 0 {
		m.lack(wrappers[0].path)
		m.explainExperts(wrappers[0].path)
		return true, nil
	}
	all := make([][]wrapped, len(wrappers))
	for k, l := range wrappers {
		if err := m.only(l, loraA, loraB); err != nil {
			return false, err
		}
		a, err := m.tensor(l, loraA)
		if err != nil {
			return false, err
		}
		b, err := m.tensor(l, loraB)
		if err != nil {
			return false, err
		}
		low, err := m.lowOf(a, b)
		if err != nil {
			return false, err
		}
		for _, c := range candidates {
			all[k] = append(all[k], fitsParameter(low, c, m.base[c.base].Shape)...)
		}
		if len(all[k]) == 0 {
			return false, m.errorf("%.200q is %s and %.200q is %s, and their product is no parameter of %.200q in the model", a.Key, ops.Of(a), b.Key, ops.Of(b), l.path)
		}
	}
	one, err := m.choose(wrappers, all)
	if err != nil {
		return false, err
	}
	for k, w := range one {
		if err := m.parameter(wrappers[k], w); err != nil {
			return false, err
		}
	}
	return true, nil
}

// explainExperts says so where a module of experts is not one tensor in the file, as
// transformers writes them.
func (m *matching) explainExperts(path string) {
	if m.why == "" && slices.ContainsFunc(m.base, func(b Base) bool { return strings.Contains("."+b.dotted(), "."+path+".0.") }) {
		m.why = "the file has its experts one by one; stack them by a rule first"
	}
}

// choose takes the one that each can be. All parameters of a module are stored alike, so one
// that is plain tells how the others are.
func (m *matching) choose(wrappers []*module, all [][]wrapped) ([]wrapped, error) {
	known, transposed := false, false
	for _, fits := range all {
		if len(fits) == 1 && fits[0].experts > 1 {
			known, transposed = true, fits[0].transposed
		}
	}
	if !known {
		known, transposed = m.gated(wrappers[0].path)
	}
	one := make([]wrapped, len(all))
	for k, fits := range all {
		n := 0
		for _, w := range fits {
			if len(fits) == 1 || w.experts == 1 || !known || w.transposed == transposed {
				one[k], n = w, n+1
			}
		}
		if n != 1 {
			return nil, m.errorf("the adapter of %.200q fits %.200q and %.200q of the model, or either way round", wrappers[k].path, m.base[fits[0].base].Name(), m.base[fits[len(fits)-1].base].Name())
		}
		for j := range k {
			if one[j].base == one[k].base {
				return nil, m.errorf("two adapters of %.200q fit %.200q of the model", wrappers[k].path, m.base[one[k].base].Name())
			}
		}
	}
	return one, nil
}

// gated says how the experts of a module are stored whose weights are square: gate_up_proj has
// two rows, or columns, for each column, or row, of down_proj.
func (m *matching) gated(path string) (known, transposed bool) {
	up, okUp, _ := m.of(path + ".gate_up_proj")
	down, okDown, _ := m.of(path + ".down_proj")
	if !okUp || !okDown || len(m.base[up].Shape) != 3 || len(m.base[down].Shape) != 3 {
		return false, false
	}
	u, d := m.base[up].Shape, m.base[down].Shape
	plain := u[1] == 2*d[2] && u[2] == d[1]
	turned := u[2] == 2*d[1] && u[1] == d[2]
	return plain != turned, turned
}

// parameter merges one.
func (m *matching) parameter(l *module, w wrapped) error {
	rank := w.rank / w.experts
	scale, err := m.scale(l, w.path, rank)
	if err != nil {
		return err
	}
	block := w.out
	left, err := m.storedOf(w.b, w.experts > 1, [3]int64{w.experts, w.out, rank}, [3]int64{1, w.rank, w.experts})
	if err != nil {
		return err
	}
	right, err := m.rowsOf(w.a, true, w.rank, w.in)
	if err != nil {
		return err
	}
	if w.transposed {
		block = w.in
		if left, err = m.storedOf(w.a, true, [3]int64{w.experts, w.in, rank}, [3]int64{rank * w.in, 1, w.in}); err != nil {
			return err
		}
		if right, err = m.storedOf(w.b, true, [3]int64{w.experts, rank, w.out}, [3]int64{1, w.experts, w.rank}); err != nil {
			return err
		}
	}
	delta := &product{left: left, right: right, block: block, rank: rank}
	what := fmt.Sprintf("LoRA of rank %d", rank)
	if w.experts > 1 {
		what += fmt.Sprintf(" for each of %d experts", w.experts)
	}
	return m.add(w.base, l, what, &addition{delta: delta, scale: scale, rounded: true})
}
