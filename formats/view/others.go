package view

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"wfs/formats/adapter"
	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/quantized"
	"wfs/formats/rules"
	"wfs/formats/source"
)

// others is what the rules of a view name besides its source.
type others struct {
	// weights are the tensors of a source by its name, the set, and their key.
	weights map[string]map[string]map[string]*checkpoint.Tensor
	// adapters are those that steps of rules merge, by the names of their sources.
	adapters map[string]*merging
	// sources are the files of all of them.
	sources []source.Source
}

// merging is an adapter and what it does to the tensors of a model, by adapter.Base.Name.
type merging struct {
	*adapter.Adapter
	merges map[string]*adapter.Merge // nil before the first is asked for
	used   map[string]bool
	files  []source.Source
}

// pathOf is where a rule says something lies: next to the file of the rule.
func pathOf(at rules.Pos, path string) string {
	if at.Line == 0 || filepath.IsAbs(path) || strings.Contains(path, "://") {
		return path
	}
	return filepath.Join(filepath.Dir(at.Name), path)
}

// open opens what a rule names. It belongs to the plan.
func (d *deriving) open(at rules.Pos, path string) (*checkpoint.Model, error) {
	if d.rules.Open == nil {
		return nil, fault(at, "%q: no other source can be opened here", path)
	}
	m, err := d.rules.Open(pathOf(at, path))
	if err != nil {
		return nil, fault(at, "%v", err)
	}
	d.plan.others = append(d.plan.others, m)
	return m, nil
}

// filesOf are the weight files of a model.
func filesOf(m *checkpoint.Model) (all []source.Source) {
	for _, s := range m.Shards() {
		all = append(all, s.Source)
	}
	return all
}

// openOthers opens the sources that rules have names for.
func (d *deriving) openOthers() error {
	d.weights, d.adapters = map[string]map[string]map[string]*checkpoint.Tensor{}, map[string]*merging{}
	for _, s := range d.rules.Sources {
		if s.Kind != rules.Weights {
			a, err := d.openAdapter(s.Pos, s.Path)
			if err != nil {
				return err
			}
			d.adapters[s.Name] = a
			d.sources = append(d.sources, a.files...)
			continue
		}
		m, err := d.open(s.Pos, s.Path)
		if err != nil {
			return err
		}
		// What a view of it would have, with the choice of a root as for any other.
		plan, err := New(m, Rules{File: &rules.File{Root: rules.Setting[string]{Value: s.Root}}})
		if err != nil {
			return fault(s.Pos, "%v", err)
		}
		sets := map[string]map[string]*checkpoint.Tensor{}
		for _, set := range plan.Sets {
			tensors := map[string]*checkpoint.Tensor{}
			for _, f := range set.Files {
				for _, e := range f.Entries {
					tensors[e.Key] = e.Tensor
				}
			}
			sets[set.Place()] = tensors
		}
		d.weights[s.Name] = sets
		d.sources = append(d.sources, filesOf(m)...)
	}
	return nil
}

// adapterConfig is what PEFT calls the configuration of an adapter.
const adapterConfig = "adapter_config.json"

// openAdapter opens an adapter: a directory of PEFT, or a file by itself.
func (d *deriving) openAdapter(at rules.Pos, path string) (*merging, error) {
	if strings.HasPrefix(filepath.Base(path), "adapter_model.") { // its configuration lies beside it
		path = filepath.Dir(path)
	}
	m, err := d.open(at, path)
	if err != nil {
		return nil, err
	}
	var config []byte
	for _, f := range m.Files {
		if f.Path == adapterConfig {
			if config, err = readConfig(f.Source); err != nil {
				return nil, fault(at, "%s: %s: %v", m.Path, adapterConfig, err)
			}
		}
	}
	a, err := adapter.Open(m, config)
	if err != nil {
		return nil, fault(at, "%v", err)
	}
	return &merging{Adapter: a, used: map[string]bool{}, files: filesOf(m)}, nil
}

// match finds what an adapter does to tensors.
func (m *merging) match(bases []adapter.Base) (err error) {
	m.merges, err = m.Match(bases)
	return err
}

// environment is what rules see of a view on its way.
type environment struct{ *deriving }

// set is the place of a set among those of the plan.
func (e environment) set(place string) int {
	return slices.IndexFunc(e.plan.Sets, func(s Set) bool { return s.Place() == place })
}

// Config implements rules.Env.
func (e environment) Config(place string) ([]byte, error) { return e.config(e.plan.Sets[e.set(place)]) }

// Tensor implements rules.Env.
func (e environment) Tensor(name, place, key string) (ops.Array, bool, error) {
	sets := e.weights[name]
	tensors, ok := sets[place]
	if !ok && len(sets) == 1 {
		for _, tensors = range sets {
		}
	}
	if t := tensors[key]; t != nil {
		return ops.Of(t), true, nil
	}
	return ops.Array{}, false, nil
}

// Lora implements rules.Env. Adapters are matched with the tensors as the renames have called
// them: those that rules make have no part in it.
func (e environment) Lora(name, place, key string, w ops.Array, weight float64) (ops.Array, error) {
	a := e.adapters[name]
	if a == nil {
		return w, fmt.Errorf("%q is not an adapter: give its source a kind", name)
	}
	if a.merges == nil {
		if err := a.match(e.renamed); err != nil {
			return w, err
		}
	}
	base := adapter.Base{Key: key, Set: place}.Name()
	m := a.merges[base]
	if m == nil {
		return w, nil
	}
	a.used[base] = true
	return m.Apply(w, weight)
}

// Dequantize implements rules.Env.
func (e environment) Dequantize(place string, parts []rules.Key, to checkpoint.DType) (ops.Array, error) {
	config, err := e.Config(place)
	if err != nil {
		return ops.Array{}, err
	}
	entries := make([]checkpoint.Entry, len(parts))
	for i, p := range parts {
		entries[i] = checkpoint.Entry{Key: p.Name, Tensor: &checkpoint.Tensor{Key: p.Name, DType: p.DType, Shape: p.Shape, Data: p.Data}}
	}
	groups, err := quantized.Find(entries, config, to)
	if err == nil && len(groups) != 1 {
		err = errors.New("the inputs are not the parts of one quantized weight")
	}
	if err != nil {
		return ops.Array{}, err
	}
	return groups[0].Array, nil
}

// unmerged is an error for an adapter that steps of rules have asked for, and of which they
// have not taken everything.
func (d *deriving) unmerged() error {
	for _, s := range d.rules.Sources {
		a := d.adapters[s.Name]
		if a == nil || a.merges == nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(a.merges)) {
			if !a.used[name] {
				return fault(s.Pos, "the adapter changes %.200q, which no step merges", name)
			}
		}
		d.plan.notes = append(d.plan.notes, a.Notes()...)
	}
	return nil
}
