package adapter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// Adapter is what an adapter holds, sorted by the layers that it changes.
type Adapter struct {
	// Name is the path that the user gave.
	Name string

	config  *config // of PEFT, nil for a file by itself
	modules []*module
	plain   []plain
	notes   []string
	cache   cache
}

// module is the parts of one layer.
type module struct {
	// path is the layer's in the adapter: dotted, or of sd-scripts with underscores alone.
	path string
	// level counts the wrappers of several parameters of one module, from the outermost.
	level int
	parts map[part]*checkpoint.Tensor
	// inner says that a wrapped module is inside of another one.
	inner bool
	// underscores says that the path is of sd-scripts.
	underscores bool
	// config has the module's rank and alpha, nil where alpha is a tensor.
	config *config
	// piece is what the configuration is of, in a file for a pipeline: "unet".
	piece string
	// alpha is from a tensor, 0 for none.
	alpha float64
}

// plain is a tensor that replaces one of the model.
type plain struct {
	key string
	*checkpoint.Tensor
}

// Open sorts the tensors of an adapter: of PEFT, with the bytes of its adapter_config.json,
// or, where config is nil, of a file by itself as kohya's sd-scripts or diffusers write it. It
// reads no tensor but the scalar alphas. An error is one line that begins with m.Path.
func Open(m *checkpoint.Model, config []byte) (*Adapter, error) {
	a := &Adapter{Name: m.Path}
	a.cache.held.Limit = holds
	if config != nil {
		c, err := parseConfig(config)
		if err != nil {
			return nil, a.errorf("adapter_config.json: %w", err)
		}
		a.config = c
	}
	var tensors []*checkpoint.Tensor
	metadata := ""
	for set, s := range m.Shards() {
		if set != m.Sets[0] {
			return nil, a.errorf("it holds the weights of %d directories, and an adapter is one", len(m.Sets))
		}
		metadata = cmp.Or(metadata, s.Metadata[metadataKey])
		for _, t := range s.Tensors {
			if t.Hidden == "" {
				tensors = append(tensors, t)
			}
		}
	}
	if err := a.sort(tensors); err != nil {
		return nil, err
	}
	if a.config == nil {
		if err := a.settleScales(metadata); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Notes are one-line remarks on the adapter, and after Match on what it does to the model.
func (a *Adapter) Notes() []string { return a.notes }

func (a *Adapter) note(format string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(format, args...))
}

func (a *Adapter) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{a.Name}, args...)...)
}

// sort makes modules of tensors.
func (a *Adapter) sort(tensors []*checkpoint.Tensor) error {
	type place struct {
		path  string
		level int
	}
	found := map[place]*module{}
	for _, t := range tensors {
		n, err := a.parse(t.Key)
		if err != nil {
			return err
		}
		if n.part != whole {
			if bits := t.DType.Bits(); !ops.Widens(t.DType) || bits < 8 {
				return a.errorf("%.200q is %s, and the factors of an adapter are floating-point numbers", t.Key, t.DType)
			}
			if count, err := segment.Count(t.Shape); err != nil || count == 0 || len(t.Shape) == 0 && n.part != alpha {
				return a.errorf("%.200q has shape %s: a parameter that was partitioned when it was saved", t.Key, checkpoint.ShapeText(t.Shape))
			}
		}
		if n.part == whole {
			a.plain = append(a.plain, plain{n.path, t})
			continue
		}
		m := found[place{n.path, n.level}]
		if m == nil {
			m = &module{path: n.path, level: n.level, parts: map[part]*checkpoint.Tensor{}, inner: n.inner, underscores: n.underscores, config: a.config}
			found[place{n.path, n.level}] = m
			a.modules = append(a.modules, m)
		}
		if other := m.parts[n.part]; other != nil {
			return a.errorf("%.200q and %.200q are the same part of a layer", other.Key, t.Key)
		}
		m.parts[n.part] = t
	}
	if len(a.modules)+len(a.plain) == 0 {
		return a.errorf("it holds no tensors")
	}
	if a.config == nil && slices.ContainsFunc(tensors, func(t *checkpoint.Tensor) bool { return strings.HasPrefix(t.Key, "base_model.model.") }) {
		return a.errorf("it is of PEFT, and its scale is in the adapter_config.json that is not there")
	}
	if a.config == nil && len(a.modules) == 0 {
		return a.errorf("no tensor of it is a part of an adapter, as lora_A or lora_down are: %s", keys.Visible(tensors[0].Key))
	}
	slices.SortFunc(a.modules, func(x, y *module) int { return cmp.Or(keys.Compare(x.path, y.path), x.level-y.level) })
	return nil
}

// tensor is a part, or an error that says what lacks it.
func (a *Adapter) tensor(m *module, p part) (*checkpoint.Tensor, error) {
	if t := m.parts[p]; t != nil {
		return t, nil
	}
	for _, other := range sortedKeys(m.parts) {
		return nil, a.errorf("it has %.200q, and no %s beside it", m.parts[other].Key, p)
	}
	return nil, a.errorf("%.200q has no %s", m.path, p)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// numbers reads a small tensor.
func numbers(t *checkpoint.Tensor) ([]float32, error) {
	b := make([]byte, t.Data.Size())
	if err := segment.ReadFull(t.Data, b, 0); err != nil {
		return nil, err
	}
	f := make([]float32, len(b)*8/t.DType.Bits())
	ops.Widen(f, b, t.DType)
	return f, nil
}
