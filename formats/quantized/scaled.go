package quantized

import (
	"cmp"
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// scaled is a weight that lies as it is, float8 or int8, beside a weight_scale: of
// compressed-tensors, of ModelOpt, of fbgemm, or of nobody who says so. For ModelOpt's NVFP4
// it is bytes of two e2m1.
func (f *finder) scaled(base string) error {
	key, scaleKey := base+".weight", base+".weight_scale"
	if _, ok := f.at[base+".weight_packed"]; ok {
		return f.compressedPacked(base)
	}
	p := f.group(cmp.Or(f.method, "fp8"))
	weight, err := p.need(key)
	if err != nil {
		return err
	}
	scale, err := p.need(scaleKey)
	if err != nil {
		return err
	}
	if err := p.sides(base); err != nil {
		return err
	}
	w := &scaledWeight{parts: p, key: key, scaleKey: scaleKey, weight: weight, scale: scale, dtype: f.to}
	switch d := weight.DType; {
	case d == checkpoint.U8 && scale.DType == checkpoint.F8E4M3 && f.method != "compressed-tensors":
		return f.modelOptNVFP4(w, base)
	case d == checkpoint.F8E4M3 || d == checkpoint.F8E5M2:
		w.values = small(d)
	case d == checkpoint.I8 && f.method == "compressed-tensors":
		w.values = signed()
	default:
		return fmt.Errorf("%.200q is %s beside %.200q (%s): wfs does not know how this was quantized", key, d, scaleKey, scale.DType)
	}
	if err := w.measure(); err != nil {
		return err
	}
	if f.method == "compressed-tensors" {
		return f.compressedWhole(w, base)
	}
	if err := p.is(scaleKey, scale, halves...); err != nil {
		return err
	}
	rows := append(slices.Clone(w.shape[:len(w.shape)-1]), 1)
	count, err := segment.Count(scale.Shape)
	switch {
	case err != nil:
		return err
	case count == 1 && w.lead == 1:
		return w.blocks([]int64{w.rows, w.cols}, "fp8, a scale for all")
	case slices.Equal(scale.Shape, rows), w.channel(1):
		return w.blocks([]int64{1, w.cols}, "fp8, a scale for each row")
	}
	return p.shaped(scaleKey, scale, rows)
}

// compressedWhole is float-quantized, int-quantized, naive-quantized or mxfp8-quantized of
// compressed-tensors. The product is in the dtype of the scales, those of mxfp8 are bfloat16
// (compressed_tensors/compressors/naive_quantized/base.py, mxfp8/base.py, decompress).
func (f *finder) compressedWhole(w *scaledWeight, base string) error {
	args, err := f.scheme(base)
	if err != nil {
		return err
	}
	name := "float8"
	if w.weight.DType == checkpoint.I8 {
		name = "int8"
	}
	if w.scale.DType == checkpoint.U8 && name == "float8" {
		w.dtype = checkpoint.BF16
	} else if err := w.is(w.scaleKey, w.scale, halves...); err != nil {
		return err
	} else {
		w.dtype = w.scale.DType
	}
	high, wide, err := w.extent(args)
	if err != nil {
		return err
	}
	scales, err := scaleTable(w.scale, ceil(w.cols, wide))
	if err != nil {
		return err
	}
	var zeros table
	zeroKey := base + ".weight_zero_point"
	if zero := w.optional(zeroKey); zero != nil {
		if err := w.is(zeroKey, zero, checkpoint.I8); err != nil {
			return err
		}
		if err := w.shaped(zeroKey, zero, w.scale.Shape); err != nil {
			return err
		}
		zeros = lookedUp(zero.Data, (*[256]float32)(signed()), ceil(w.cols, wide))
	} else if !args.symmetric() {
		return fmt.Errorf("compressed-tensors weights without %.200q: config.json says that they are not symmetric", zeroKey)
	}
	what := groupsOf(wide, w.cols)
	switch {
	case high == w.rows && wide == w.cols:
		what = "a scale for all"
	case high > 1:
		what = fmt.Sprintf("blocks of %d × %d", high, wide)
	}
	return w.finish(high, wide, scales, zeros, "compressed-tensors, "+name+", "+what)
}

// modelOptNVFP4 is ModelOpt's NVFP4: two e2m1 in a byte, a float8 for 16 of them, and
// weight_scale_2 for all. The scale is their product, and the number is rounded once
// (modelopt/torch/quantization/qtensor/nvfp4_tensor.py, dequantize).
func (f *finder) modelOptNVFP4(w *scaledWeight, base string) error {
	w.format = "NVFP4"
	all, err := w.scalar(base + ".weight_scale_2")
	if err != nil {
		return err
	}
	w.values = small(checkpoint.F4)
	if err := w.measure(); err != nil {
		return err
	}
	return w.nvfp4(func(s float32) float32 { return s * all })
}
