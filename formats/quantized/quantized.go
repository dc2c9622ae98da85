// Package quantized serves the plain weights of quantized checkpoints: bfloat16, float16 or
// float32 that are computed while they are read, with the bits that the library of each
// format computes.
//
//	GPTQ           qweight, qzeros, scales, g_idx        gptq.go
//	AWQ            qweight, qzeros, scales               awq.go
//	fp8            weight, weight_scale_inv              fp8.go
//	compressed-tensors, ModelOpt, fbgemm_fp8: weight or weight_packed, weight_scale …   compressed.go, scaled.go
//	bitsandbytes   weight, weight.absmax …; weight, SCB  bitsandbytes.go
//	MXFP4          …_blocks, …_scales                    mxfp4.go
//	torchao        _weight_qdata, _weight_scale          torchao.go
//
// All of them are a matrix of codes, and tables of scales and zero points for groups of them:
// matrix.go computes it, codes.go and tables.go read its parts.
package quantized

import (
	"fmt"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// Group is a plain weight and the tensors that it is made of.
type Group struct {
	// Key is that of the plain weight: "model.layers.0.mlp.up_proj.weight".
	Key string
	// Inputs are the keys that go away with it. One of them may be Key.
	Inputs []string
	// Array is the plain weight. A read of it fails where its tables name what is not there.
	ops.Array
	// What says for people how it was quantized: "GPTQ, 4 bit, groups of 128".
	What string
}

// Find recognizes the quantized tensors among the entries of a model, and makes plain weights
// of them. config is the config.json beside them, nil for none; to is the dtype of the plain
// weights, Invalid for the one that config names, or else bfloat16. Groups stand in the order
// of the first of their inputs; what is in no group is plain already.
//
// Find reads config, and of the entries a few bytes where a format keeps its shapes in tensors.
// What is quantized and not understood, incomplete or contradictory is an error of one line
// that names the tensor.
func Find(entries []checkpoint.Entry, config []byte, to checkpoint.DType) ([]Group, error) {
	s, err := readSettings(config)
	if err != nil {
		return nil, err
	}
	if to, err = s.result(to); err != nil {
		return nil, err
	}
	f := &finder{settings: s, to: to, entries: entries, at: make(map[string]int, len(entries)), used: make([]bool, len(entries)),
		bands: segment.NewBands(segment.DefaultBandsSize)}
	for i, e := range entries {
		f.at[e.Key] = i
	}
	for i, e := range entries {
		if f.used[i] {
			continue
		}
		if err := f.look(e); err != nil {
			return nil, err
		}
	}
	if err := f.rest(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(f.groups, func(a, b found) int { return a.first - b.first })
	groups := make([]Group, len(f.groups))
	for i, g := range f.groups {
		groups[i] = g.Group
	}
	return groups, nil
}

// finder goes over the entries of a model.
type finder struct {
	*settings
	to      checkpoint.DType
	entries []checkpoint.Entry
	at      map[string]int
	used    []bool
	// bands are of all transposes of the model.
	bands  *segment.Bands
	groups []found

	schemes      []*scheme // of compressed-tensors, nil before they are read
	torchaoKnown bool      // its configurations are
}

type found struct {
	Group
	first int // the smallest number of its inputs
}

// anchors are the ends of keys that tell a format, and what makes a group of one.
var anchors = []struct {
	suffix string
	make   func(f *finder, base string) error
}{
	{".qweight", (*finder).packedByColumns},
	{".weight_packed", (*finder).compressedPacked},
	{"_scale_inv", (*finder).blockScaled},
	{".weight_scale", (*finder).scaled},
	{".quant_state.bitsandbytes__nf4", (*finder).fourBit},
	{".quant_state.bitsandbytes__fp4", (*finder).fourBit},
	{".SCB", (*finder).eightBit},
	{"_blocks", (*finder).microscaled},
	{"_qdata", (*finder).torchao},
}

// look makes a group where a key is the anchor of one.
func (f *finder) look(e checkpoint.Entry) error {
	for _, a := range anchors {
		if base, ok := strings.CutSuffix(e.Key, a.suffix); ok && base != "" {
			return a.make(f, base)
		}
	}
	return nil
}

// parts is the tensors of one group, as far as they were asked for.
type parts struct {
	f      *finder
	format string
	first  int
	inputs []string
}

// group begins one of a format.
func (f *finder) group(format string) *parts {
	return &parts{f: f, format: format, first: len(f.entries)}
}

// optional is the tensor with a key, nil where there is none. It becomes an input.
func (p *parts) optional(key string) *checkpoint.Tensor {
	i, ok := p.f.at[key]
	if !ok || p.f.used[i] {
		return nil
	}
	p.f.used[i] = true
	p.inputs = append(p.inputs, key)
	p.first = min(p.first, i)
	return p.f.entries[i].Tensor
}

// need is optional for what has to be there, with one of some dtypes; none means any.
func (p *parts) need(key string, dtypes ...checkpoint.DType) (*checkpoint.Tensor, error) {
	t := p.optional(key)
	if t == nil {
		return nil, fmt.Errorf("%s weights without %.200q: the file is incomplete", p.format, key)
	}
	return t, p.is(key, t, dtypes...)
}

// is checks the dtype of a tensor, and that it has the bytes that its shape promises.
func (p *parts) is(key string, t *checkpoint.Tensor, dtypes ...checkpoint.DType) error {
	if len(dtypes) > 0 && !slices.Contains(dtypes, t.DType) {
		return fmt.Errorf("%.200q is %s, and %s has %s there", key, t.DType, p.format, oneOf(dtypes))
	}
	if size, err := checkpoint.ByteSize(t.DType, t.Shape); err != nil || size != t.Data.Size() {
		return fmt.Errorf("%.200q has %d bytes, which are no %s %s", key, t.Data.Size(), t.DType, checkpoint.ShapeText(t.Shape))
	}
	return nil
}

// shaped checks a tensor's shape.
func (p *parts) shaped(key string, t *checkpoint.Tensor, shapes ...[]int64) error {
	for _, s := range shapes {
		if slices.Equal(t.Shape, s) {
			return nil
		}
	}
	return fmt.Errorf("%.200q is %s %s, and with the other tensors of its weight it has to be %s", key, t.DType, checkpoint.ShapeText(t.Shape), checkpoint.ShapeText(shapes[0]))
}

// shapeOf reads a tensor that holds a shape.
func (p *parts) shapeOf(key string) ([]int64, error) {
	t, err := p.need(key, checkpoint.I64, checkpoint.I32)
	if err != nil {
		return nil, err
	}
	if len(t.Shape) != 1 || t.Shape[0] < 1 || t.Shape[0] > 8 {
		return nil, fmt.Errorf("%.200q is %s %s, and a shape is there", key, t.DType, checkpoint.ShapeText(t.Shape))
	}
	b, err := readWhole(key, t)
	if err != nil {
		return nil, err
	}
	shape := make([]int64, t.Shape[0])
	for i := range shape {
		if t.DType == checkpoint.I64 {
			shape[i] = int64(le.Uint64(b[8*i:]))
		} else {
			shape[i] = int64(int32(le.Uint32(b[4*i:])))
		}
	}
	if _, err := segment.Count(shape); err != nil {
		return nil, fmt.Errorf("%.200q: %w", key, err)
	}
	return shape, nil
}

// readWhole reads all of a small tensor.
func readWhole(key string, t *checkpoint.Tensor) ([]byte, error) {
	b := make([]byte, t.Data.Size())
	if err := segment.ReadFull(t.Data, b, 0); err != nil {
		return nil, fmt.Errorf("%.200q: %w", key, err)
	}
	return b, nil
}

// scalar reads a tensor of one float32.
func (p *parts) scalar(key string) (float32, error) {
	t, err := p.need(key, checkpoint.F32)
	if err != nil {
		return 0, err
	}
	if t.Data.Size() != 4 {
		return 0, fmt.Errorf("%.200q is F32 %s, and %s has one number there", key, checkpoint.ShapeText(t.Shape), p.format)
	}
	values, err := readFloats(key, t)
	if err != nil {
		return 0, err
	}
	return values[0], nil
}

// done adds the group: the plain weight under a key, of which array is made in the precision of
// its format.
func (p *parts) done(key string, a ops.Array, what string) error {
	a, err := a.To(p.f.to)
	if err != nil {
		return err
	}
	if i, ok := p.f.at[key]; ok && !slices.Contains(p.inputs, key) {
		return fmt.Errorf("%.200q is there quantized and, as %s %s, plain", key, p.f.entries[i].DType, checkpoint.ShapeText(p.f.entries[i].Shape))
	}
	p.f.groups = append(p.f.groups, found{Group{key, p.inputs, a, what}, p.first})
	return nil
}

// sides takes what stands beside a weight and says nothing about its values: how activations
// and the cache of keys and values are quantized.
func (p *parts) sides(base string) error {
	for _, name := range []string{"input_scale", "input_zero_point", "input_global_scale", "output_scale", "output_zero_point", "activation_scale",
		"act_quant_scale", "act_quant_zero_point", "k_scale", "v_scale", "q_scale", "weight_format"} {
		p.optional(base + "." + name)
	}
	for _, name := range []string{"pre_quant_scale", "act_pre_scale"} {
		if p.optional(base+"."+name) != nil {
			return fmt.Errorf("%.200q scales the input of its layer: a plain weight cannot say that", base+"."+name)
		}
	}
	return nil
}

// leftovers are ends of keys of quantized weights that no anchor leads to.
var leftovers = []string{".qzeros", ".g_idx", ".weight_shape", ".weight_g_idx", ".weight_zero_point", ".weight_global_scale", ".weight_scale_2",
	".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".scale_weight", ".pre_quant_scale", ".codebook", ".codebooks", ".W_q", ".qweight_type",
	".weight_scale", "_scale_inv", ".weight_packed", ".SCB", "_qdata"}

// rest refuses what looks quantized and is in no group, and makes the scales of a layer's cache
// of keys and values inputs of a group of that layer.
func (f *finder) rest() error {
	layers := map[string]*found{}
	for i := range f.groups {
		module, _, _ := cutLast(f.groups[i].Key)
		if layer, _, ok := cutLast(module); ok && layers[layer] == nil {
			layers[layer] = &f.groups[i]
		}
	}
	for i, e := range f.entries {
		if f.used[i] {
			continue
		}
		for _, end := range leftovers {
			if strings.HasSuffix(e.Key, end) {
				return fmt.Errorf("%.200q (%s %s) is part of a quantized weight that wfs does not know, or whose other parts are missing", e.Key, e.DType, checkpoint.ShapeText(e.Shape))
			}
		}
		if f.method == "fp8" && strings.HasSuffix(e.Key, ".weight") && slices.Contains([]checkpoint.DType{checkpoint.F8E4M3, checkpoint.F8E5M2, checkpoint.I8, checkpoint.F4}, e.DType) {
			return fmt.Errorf("%.200q is %s and has no scale: the file is incomplete", e.Key, e.DType)
		}
		if layer, name, ok := cutLast(e.Key); ok && slices.Contains([]string{"k_scale", "v_scale", "q_scale"}, name) && len(e.Shape) <= 1 && layers[layer] != nil {
			layers[layer].Inputs = append(layers[layer].Inputs, e.Key)
		}
	}
	return nil
}

// cutLast cuts a key at its last dot.
func cutLast(key string) (before, after string, ok bool) {
	i := strings.LastIndexByte(key, '.')
	if i < 0 {
		return key, "", false
	}
	return key[:i], key[i+1:], true
}

// transposed is the C-order bytes of a tensor of [rows, cols] elements of some bytes, as [cols, rows].
func (f *finder) transposed(data segment.Data, elem, rows, cols int64) (segment.Data, error) {
	return segment.NewStrided(f.bands, data, data.Size(), 0, elem, []int64{cols, rows}, []int64{1, cols})
}

// oneOf lists dtypes as people do.
func oneOf(dtypes []checkpoint.DType) string {
	names := make([]string, len(dtypes))
	for i, d := range dtypes {
		names[i] = d.String()
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return names[0]
}

// ceil is a/b, rounded up.
func ceil(a, b int64) int64 { return (a + b - 1) / b }
