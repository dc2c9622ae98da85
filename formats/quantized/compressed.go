package quantized

import (
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// compressedPacked is a weight that compressed-tensors packs: integers in int32 words, or two
// e2m1 in a byte.
func (f *finder) compressedPacked(base string) error {
	key := base + ".weight_packed"
	if f.method != "compressed-tensors" {
		return fmt.Errorf("%.200q is of compressed-tensors, whose config_groups are in a config.json that is not there, or is of another format", key)
	}
	args, err := f.scheme(base)
	if err != nil {
		return err
	}
	p := f.group("compressed-tensors")
	t, err := p.need(key, checkpoint.I32, checkpoint.U8)
	if err != nil {
		return err
	}
	if err := p.sides(base); err != nil {
		return err
	}
	if t.DType == checkpoint.U8 {
		return f.compressedFloats(p, base, args, t)
	}
	return f.compressedIntegers(p, base, args, t)
}

// compressedIntegers is "pack-quantized": weight_packed int32 [rows, cols·bits/32], codes dense
// along the columns and less by half their range; weight_scale for groups or rows; zero points,
// if there are any, packed down the rows; weight_g_idx the groups of columns. The product is
// in the dtype of the scales (compressed_tensors/compressors/pack_quantized/helpers.py, and
// quantization/lifecycle/forward_helpers.py, _dequantize).
func (f *finder) compressedIntegers(p *parts, base string, args *weightArgs, t *checkpoint.Tensor) error {
	key, scaleKey := base+".weight_packed", base+".weight_scale"
	bits := args.Bits
	if args.Type != "" && args.Type != "int" || bits < 1 || bits > 8 {
		return fmt.Errorf("%.200q has packed integers, and config.json says %d bits of type %.40q", key, bits, args.Type)
	}
	scale, err := p.need(scaleKey, halves...)
	if err != nil {
		return err
	}
	shape, err := p.shapeOf(base + ".weight_shape")
	if err != nil {
		return err
	}
	n := len(shape)
	if n != len(t.Shape) || n < 2 || slices.Contains(shape, 0) || !slices.Equal(shape[:n-1], t.Shape[:n-1]) || shape[n-1] > 1<<56 || ceil(shape[n-1]*bits, 32) != t.Shape[n-1] {
		return fmt.Errorf("%.200q is I32 %s, which is no %s of %d bits", key, checkpoint.ShapeText(t.Shape), checkpoint.ShapeText(shape), bits)
	}
	w := &scaledWeight{parts: p, key: base + ".weight", scaleKey: scaleKey, weight: t, scale: scale, dtype: scale.DType}
	if _, err := checkpoint.ByteSize(w.dtype, shape); err != nil {
		return fmt.Errorf("%.200q: %w", key, err)
	}
	w.split(shape)
	high, wide, err := w.extent(args)
	if err != nil {
		return err
	}
	m := &matrix{dtype: w.dtype, rows: w.lead * w.rows, cols: w.cols, values: counting(1<<bits, 1<<(bits-1)), tall: high, wide: wide, groups: ceil(w.cols, wide)}
	m.codes = &packed{data: t.Data, bits: bits, pitch: 4 * t.Shape[n-1]}
	if m.scales, err = floats(scale.Data, scale.DType, m.groups); err != nil {
		return err
	}
	what := fmt.Sprintf("compressed-tensors, %d bit, %s", bits, groupsOf(wide, w.cols))
	zeroKey := base + ".weight_zero_point"
	zero := p.optional(zeroKey)
	switch {
	case zero != nil:
		if err := p.is(zeroKey, zero, checkpoint.I32); err != nil {
			return err
		}
		if w.lead != 1 || high != 1 {
			return fmt.Errorf("%.200q: wfs knows packed zero points of a matrix with scales for its rows", zeroKey)
		}
		if err := p.shaped(zeroKey, zero, []int64{ceil(w.rows*bits, 32), m.groups}); err != nil {
			return err
		}
		m.values = counting(1<<bits, 0) // the halves of both cancel out
		m.zeros = (&words{data: zero.Data, bits: bits, n: m.groups}).read
	case !args.symmetric():
		return fmt.Errorf("compressed-tensors weights without %.200q: config.json says that they are not symmetric", zeroKey)
	}
	if index := p.optional(base + ".weight_g_idx"); index != nil {
		indexKey := base + ".weight_g_idx"
		if err := p.is(indexKey, index, checkpoint.I32); err != nil {
			return err
		}
		if err := p.shaped(indexKey, index, []int64{w.cols}); err != nil {
			return err
		}
		if m.groups > mostIndexed {
			return fmt.Errorf("%.200q has %d groups, more than wfs takes with a g_idx: %d", scaleKey, m.groups, mostIndexed)
		}
		m.index, m.unordered = index.Data, true
		what += ", in the order of g_idx"
	}
	array, err := m.array(shape...)
	if err != nil {
		return fmt.Errorf("%.200q: %w", key, err)
	}
	return p.done(w.key, array, what)
}

// extent is the rows and columns that a scale is for, as the scheme says, and the scales agree.
func (w *scaledWeight) extent(args *weightArgs) (high, wide int64, err error) {
	strategy := args.Strategy
	size := int64(-1)
	if args.GroupSize != nil {
		size = *args.GroupSize
	}
	if strategy == "" { // as QuantizationArgs has it
		switch {
		case size > 0:
			strategy = "group"
		case size == -1 && args.GroupSize != nil:
			strategy = "channel"
		default:
			strategy = "tensor"
		}
	}
	switch strategy {
	case "tensor":
		high, wide = w.rows, w.cols
		if w.lead == 1 {
			if count, err := segment.Count(w.scale.Shape); err == nil && count == 1 {
				return high, wide, nil
			}
		}
	case "channel":
		high, wide = 1, w.cols
	case "group", "tensor_group":
		if size < 1 || w.cols%size != 0 {
			return 0, 0, fmt.Errorf("%.200q has %d columns, and config.json says groups of %d", w.key, w.cols, size)
		}
		high, wide = 1, size
	case "block":
		block, err := args.block()
		if err != nil {
			return 0, 0, err
		}
		high, wide = block[0], block[1]
	default:
		return 0, 0, fmt.Errorf("config.json says strategy %.100q of weights, which wfs does not know", strategy)
	}
	if !w.grid([]int64{high, wide}) && !(wide >= w.cols && w.channel(high)) {
		return 0, 0, w.shaped(w.scaleKey, w.scale, w.gridOf(high, wide))
	}
	return min(high, w.rows), min(wide, w.cols), nil
}

// compressedFloats is two e2m1 in a byte, with scales for groups of 16 that are float8 and have
// a scale of their own (nvfp4), or for groups of 32 that are powers of two (mxfp4). The
// product is bfloat16 (compressed_tensors/compressors/nvfp4/base.py, decompress).
func (f *finder) compressedFloats(p *parts, base string, args *weightArgs, t *checkpoint.Tensor) error {
	key, scaleKey := base+".weight_packed", base+".weight_scale"
	if args.Type != "float" || args.Bits != 4 {
		return fmt.Errorf("%.200q has e2m1 in bytes, and config.json says %d bits of type %.40q", key, args.Bits, args.Type)
	}
	scale, err := p.need(scaleKey, checkpoint.F8E4M3, checkpoint.U8)
	if err != nil {
		return err
	}
	w := &scaledWeight{parts: p, key: base + ".weight", scaleKey: scaleKey, weight: t, scale: scale, dtype: checkpoint.BF16, values: small(checkpoint.F4)}
	if err := w.measure(); err != nil {
		return err
	}
	if scale.DType == checkpoint.U8 {
		return w.blocks([]int64{1, 32}, "MXFP4, blocks of 32")
	}
	all, err := p.scalar(base + ".weight_global_scale")
	if err != nil {
		return err
	}
	// A scale of all without a dimension leaves the others bfloat16 (torch.result_type).
	rounded := len(f.entries[f.at[base+".weight_global_scale"]].Shape) == 0
	return w.nvfp4(func(s float32) float32 {
		if s /= all; rounded {
			s = toBF16(s)
		}
		return s
	})
}

// nvfp4 makes the group of a weight with a float8 for each 16 numbers, which is changed by what
// stands for the whole tensor.
func (w *scaledWeight) nvfp4(change func(float32) float32) error {
	if w.cols%16 != 0 {
		return fmt.Errorf("%.200q has %d columns, which do not divide into groups of 16", w.key, w.cols)
	}
	if err := w.shaped(w.scaleKey, w.scale, w.gridOf(1, 16)); err != nil {
		return err
	}
	scales, err := floats(w.scale.Data, w.scale.DType, w.cols/16)
	if err != nil {
		return err
	}
	return w.finish(1, 16, scales.each(change), nil, "NVFP4, blocks of 16")
}
