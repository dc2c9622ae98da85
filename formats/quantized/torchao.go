package quantized

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// tensorConfigs are the configurations of torchao whose tensors wfs knows: Int8Tensor,
// Float8Tensor and IntxUnpackedToInt8Tensor.
var tensorConfigs = []string{"Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig", "Int8StaticActivationInt8WeightConfig",
	"Float8WeightOnlyConfig", "Float8DynamicActivationFloat8WeightConfig", "Float8StaticActivationFloat8WeightConfig",
	"IntxWeightOnlyConfig", "Int8DynamicActivationIntxWeightConfig", "FqnToConfig", "ModuleFqnToConfig"}

// torchao is a weight of torchao's, taken apart for safetensors: MODULE._weight_qdata, _weight_scale
// and, for some, _weight_zero_point. Of integers (code − zero)·scale, of float8 code·scale,
// rounded once (torchao/quantization/quant_primitives.py, _dequantize_affine_no_dtype_check and
// _dequantize_affine_float8).
func (f *finder) torchao(base string) error {
	module, name, ok := cutLast(base)
	if !ok || !strings.HasPrefix(name, "_") {
		return nil // any key may end so
	}
	if f.method != "torchao" {
		return fmt.Errorf("%.200q is of torchao, and no config.json says which tensor of torchao's it is", base+"_qdata")
	}
	if err := f.knownConfigs(); err != nil {
		return err
	}
	p := f.group("torchao")
	key, scaleKey, zeroKey := module+"."+strings.TrimPrefix(name, "_"), base+"_scale", base+"_zero_point"
	weight, err := p.need(base+"_qdata", checkpoint.I8, checkpoint.F8E4M3, checkpoint.F8E5M2)
	if err != nil {
		return err
	}
	scale, err := p.need(scaleKey, halves...)
	if err != nil {
		return err
	}
	for _, end := range []string{"_act_quant_scale", "_act_quant_zero_point"} {
		p.optional(base + end)
	}
	if p.optional(base+"_act_pre_scale") != nil {
		return fmt.Errorf("%.200q scales the input of its layer: a plain weight cannot say that", base+"_act_pre_scale")
	}
	w := &scaledWeight{parts: p, key: base + "_qdata", scaleKey: scaleKey, weight: weight, scale: scale, dtype: f.to, values: signed()}
	kind := "int8"
	if weight.DType != checkpoint.I8 {
		w.values, kind = small(weight.DType), "float8"
	}
	if err := w.measure(); err != nil {
		return err
	}
	high, wide, err := w.divided()
	if err != nil {
		return err
	}
	scales, err := floats(scale.Data, scale.DType, w.cols/wide)
	if err != nil {
		return err
	}
	var zeros table
	if zero := p.optional(zeroKey); zero != nil {
		if err := p.is(zeroKey, zero, checkpoint.I8); err != nil {
			return err
		}
		have, err := segment.Count(zero.Shape)
		if want, _ := segment.Count(scale.Shape); err != nil || have != want || weight.DType != checkpoint.I8 {
			return fmt.Errorf("%.200q is I8 %s beside scales %s", zeroKey, checkpoint.ShapeText(zero.Shape), checkpoint.ShapeText(scale.Shape))
		}
		zeros = lookedUp(zero.Data, (*[256]float32)(signed()), w.cols/wide)
	}
	w.key = key
	what := groupsOf(wide, w.cols)
	if high == w.rows && wide == w.cols {
		what = "a scale for all"
	}
	return w.finish(high, wide, scales, zeros, "torchao, "+kind+", "+what)
}

// divided is the size of the blocks that the scales divide a weight into.
func (w *scaledWeight) divided() (high, wide int64, err error) {
	n := len(w.shape)
	count, err := segment.Count(w.scale.Shape)
	switch {
	case err != nil:
		return 0, 0, err
	case count == 1 && w.lead == 1:
		return w.rows, w.cols, nil
	case slices.Equal(w.scale.Shape, w.shape[:n-1]):
		return 1, w.cols, nil
	case len(w.scale.Shape) == n && slices.Equal(w.scale.Shape[:n-2], w.shape[:n-2]):
		r, c := w.scale.Shape[n-2], w.scale.Shape[n-1]
		if r > 0 && c > 0 && w.rows%r == 0 && w.cols%c == 0 {
			return w.rows / r, w.cols / c, nil
		}
	}
	return 0, 0, fmt.Errorf("%.200q is %s %s, which does not divide a weight %s", w.scaleKey, w.scale.DType, checkpoint.ShapeText(w.scale.Shape), checkpoint.ShapeText(w.shape))
}

// knownConfigs refuses configurations with tensors that wfs does not know: some pack their
// codes, and look like int8 all the same.
func (f *finder) knownConfigs() error {
	var walk func(v any) error
	walk = func(v any) error {
		switch v := v.(type) {
		case map[string]any:
			if name, ok := v["_type"].(string); ok && strings.HasSuffix(name, "Config") && !slices.Contains(tensorConfigs, name) {
				return fmt.Errorf("config.json says %.100q of torchao, which wfs does not dequantize: it knows %s", name, strings.Join(tensorConfigs, ", "))
			}
			for _, inner := range v {
				if err := walk(inner); err != nil {
					return err
				}
			}
		case []any:
			for _, inner := range v {
				if err := walk(inner); err != nil {
					return err
				}
			}
		case string:
			if v == "int4_weight_only" || v == "int4_dynamic_activation_int4_weight" || v == "autoquant" {
				return fmt.Errorf("config.json says %q of torchao, which wfs does not dequantize", v)
			}
		}
		return nil
	}
	if f.torchaoKnown {
		return nil
	}
	var v any
	if err := json.Unmarshal(f.fields["quant_type"], &v); err != nil {
		return fmt.Errorf("config.json: quant_type of torchao's quantization_config: %w", err)
	}
	if err := walk(v); err != nil {
		return err
	}
	f.torchaoKnown = true
	return nil
}
