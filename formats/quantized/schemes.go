package quantized

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// scheme is how compressed-tensors quantized some weights: one of the config_groups
// (compressed_tensors/quantization/quant_scheme.py).
type scheme struct {
	Weights *weightArgs `json:"weights"`
	// Targets are names of modules, "re:" and a pattern, or names of classes.
	Targets []string `json:"targets"`

	patterns []*regexp.Regexp
}

type weightArgs struct {
	Bits      int64           `json:"num_bits"`
	Type      string          `json:"type"`
	Symmetric *bool           `json:"symmetric"`
	Strategy  string          `json:"strategy"`
	GroupSize *int64          `json:"group_size"`
	Block     json.RawMessage `json:"block_structure"`
}

func (a *weightArgs) symmetric() bool { return a.Symmetric == nil || *a.Symmetric }

// plainFormats are the formats of compressed-tensors that wfs knows; the tensors tell which a
// weight has.
var plainFormats = []string{"", "dense", "pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mixed-precision", "nvfp4-pack-quantized",
	"mxfp4-pack-quantized", "mxfp8-quantized"}

// readSchemes reads the config_groups, once.
func (f *finder) readSchemes() error {
	if f.schemes != nil {
		return nil
	}
	format, err := f.text("format", "")
	if err != nil {
		return err
	}
	if !slices.Contains(plainFormats, format) {
		return fmt.Errorf("config.json says format %.100q of compressed-tensors, which wfs does not dequantize", format)
	}
	if said(f.fields, "transform_config") && string(f.fields["transform_config"]) != "{}" {
		return fmt.Errorf("config.json has a transform_config: the weights are rotated, and a plain weight cannot say so")
	}
	sparsity, err := member(f.fields, "sparsity_config", struct {
		Format string `json:"format"`
	}{}, nil)
	if err != nil {
		return err
	}
	if sparsity.Format != "" && sparsity.Format != "dense" {
		return fmt.Errorf("config.json says %.100q in its sparsity_config, which wfs does not decompress", sparsity.Format)
	}
	groups, err := member[map[string]*scheme](f.fields, "config_groups", nil, nil)
	if err != nil {
		return err
	}
	f.schemes = []*scheme{}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		g := groups[name]
		if g == nil || g.Weights == nil {
			continue
		}
		for _, target := range g.Targets {
			if text, ok := strings.CutPrefix(target, "re:"); ok {
				pattern, err := regexp.Compile("^(?:" + text + ")")
				if err != nil {
					return fmt.Errorf("config.json: target %.100q of %.100q: %w", target, name, err)
				}
				g.patterns = append(g.patterns, pattern)
			}
		}
		f.schemes = append(f.schemes, g)
	}
	return nil
}

// scheme is that of a module: one that names it, one whose pattern matches, or the one that
// names classes.
func (f *finder) scheme(module string) (*weightArgs, error) {
	if err := f.readSchemes(); err != nil {
		return nil, err
	}
	if len(f.schemes) == 1 {
		return f.schemes[0].Weights, nil
	}
	var classes []*scheme
	for _, s := range f.schemes {
		if slices.Contains(s.Targets, module) {
			return s.Weights, nil
		}
		if slices.ContainsFunc(s.Targets, func(t string) bool { return !strings.Contains(t, ".") && !strings.HasPrefix(t, "re:") }) {
			classes = append(classes, s)
		}
	}
	for _, s := range f.schemes {
		if slices.ContainsFunc(s.patterns, func(p *regexp.Regexp) bool { return p.MatchString(module) }) {
			return s.Weights, nil
		}
	}
	if len(classes) == 1 {
		return classes[0].Weights, nil
	}
	return nil, fmt.Errorf("%.200q is of compressed-tensors, and no group, or more than one, of the config_groups in config.json tells how it is quantized", module)
}

// block is the rows and columns of a block: [128, 128], or "128x128" as it was once written.
func (a *weightArgs) block() ([]int64, error) {
	var sizes []int64
	if json.Unmarshal(a.Block, &sizes) != nil {
		var text string
		sizes = make([]int64, 2)
		if json.Unmarshal(a.Block, &text) != nil {
			sizes = nil
		} else if n, err := fmt.Sscanf(text, "%dx%d", &sizes[0], &sizes[1]); n != 2 || err != nil {
			sizes = nil
		}
	}
	if len(sizes) != 2 || sizes[0] < 1 || sizes[1] < 1 {
		return nil, fmt.Errorf("config.json says block_structure %.100q, and it is two sizes", a.Block)
	}
	return sizes, nil
}
