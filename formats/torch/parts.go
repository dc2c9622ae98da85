package torch

import (
	"encoding/binary"
	"fmt"
	"math"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// quantized is (storage, offset, size, stride, (scheme, scale, zero_point) or
// (scheme, scales, zero_points, axis), requires_grad, hooks).
// Source: torch/_utils.py, _rebuild_qtensor.
func (r *resolver) quantized(args []pickle.Value, level int) (tensorValue, error) {
	if len(args) < 5 {
		return tensorValue{}, errArguments
	}
	ints, err := r.view(args[:4], 4)
	if err != nil {
		return tensorValue{}, err
	}
	params, _ := items(args[4])
	if len(params) < 3 {
		return tensorValue{}, errArguments
	}
	t := tensorValue{parts: []part{{"int_repr", ints}}}
	if rare := ints.array.rare; rare != nil && rare.logical != nil {
		size := rare.logical
		t.parts = append(t.parts, part{"size", intArray([]int64{int64(len(size))}, size...)})
	}
	if scale, ok := params[1].(float64); ok {
		zero, _ := integer(params[2])
		t.parts = append(t.parts, part{"scale", floatScalar(scale)}, part{"zero_point", intArray(nil, zero)})
		return t, nil
	}
	for i, name := range []string{"scale", "zero_point"} {
		p, ok := r.unwrap(params[1+i], level+1)
		if !ok {
			p, ok = numbers(params[0], params[1+i], name)
		}
		if !ok {
			return tensorValue{}, errArguments
		}
		t.parts = append(t.parts, part{name, p})
	}
	if len(params) > 3 {
		axis, _ := integer(params[3])
		t.parts = append(t.parts, part{"axis", intArray(nil, axis)})
	}
	return t, nil
}

// numbers reads the scales or zero points of each channel that old files have as a list.
func numbers(scheme, v pickle.Value, name string) (tensorValue, bool) {
	list, ok := items(v)
	if !ok {
		return tensorValue{}, false
	}
	d := checkpoint.F64
	if g, _ := asGlobal(scheme); g.name == "per_channel_affine_float_qparams" {
		d = checkpoint.F32
	} else if name == "zero_point" {
		d = checkpoint.I64
	}
	var b []byte
	for _, v := range list {
		f, isFloat := v.(float64)
		n, isInt := integer(v)
		if !isFloat {
			f = float64(n)
		}
		switch {
		case !isFloat && !isInt || isFloat && d == checkpoint.I64:
			return tensorValue{}, false
		case d == checkpoint.I64:
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		case d == checkpoint.F32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
		default:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
		}
	}
	return literal(d, []int64{int64(len(list))}, b), true
}

// sparse is (layout, data); data is (indices, values, size[, is_coalesced]) for
// COO and (compressed indices, plain indices, values, size) for the compressed
// layouts. Source: torch/_utils.py, _rebuild_sparse_tensor.
func (r *resolver) sparse(args []pickle.Value, level int) (tensorValue, error) {
	if len(args) < 2 {
		return tensorValue{}, errArguments
	}
	layout := layoutName(args[0])
	data, _ := items(args[1])
	var names []string
	switch layout {
	case "sparse_coo":
		names = []string{"indices", "values"}
	case "sparse_csr", "sparse_bsr":
		names = []string{"crow_indices", "col_indices", "values"}
	case "sparse_csc", "sparse_bsc":
		names = []string{"ccol_indices", "row_indices", "values"}
	default:
		return tensorValue{}, fmt.Errorf("sparse layout %q is not known", layout)
	}
	t, err := r.named(names, data, level)
	if err != nil {
		return t, err
	}
	if len(data) > len(names) {
		if size, ok := integers(data[len(names)]); ok {
			t.parts = append(t.parts, part{"size", intArray([]int64{int64(len(size))}, size...)})
		}
	}
	return t, nil
}

// layoutName reads torch.sparse_coo or torch.serialization._get_layout('torch.sparse_coo').
func layoutName(v pickle.Value) string {
	name := ""
	if g, ok := asGlobal(v); ok {
		name = g.name
	} else if obj, ok := v.(*pickle.Object); ok {
		if args, _ := items(obj.Args); len(args) == 1 {
			name, _ = text(args[0])
		}
	}
	if len(name) > 6 && name[:6] == "torch." {
		name = name[6:]
	}
	return name
}

// nested is (buffer, sizes, strides, offsets). Source: torch/_utils.py, _rebuild_nested_tensor.
func (r *resolver) nested(args []pickle.Value, level int) (tensorValue, error) {
	return r.named([]string{"values", "sizes", "strides", "offsets"}, args, level)
}

// jagged is one dict of constructor arguments, or (values, offsets, …) where
// optional ones are None. Source: torch/nested/_internal/nested_tensor.py.
func (r *resolver) jagged(args []pickle.Value, level int) (tensorValue, error) {
	var t tensorValue
	for i, v := range args {
		fields, ok := pairs(v)
		if !ok {
			fields = []pickle.Pair{{Value: v}}
		}
		for _, f := range fields {
			name, _ := text(f.Key)
			if name == "" && i < 3 {
				name = []string{"values", "offsets", "lengths"}[i]
			}
			if p, ok := r.unwrap(f.Value, level+1); ok && name != "" {
				t.parts = append(t.parts, part{name, p})
			}
		}
	}
	if len(t.parts) == 0 {
		return t, errArguments
	}
	return t, nil
}

// named unwraps the first values as parts with the given names.
func (r *resolver) named(names []string, values []pickle.Value, level int) (tensorValue, error) {
	if len(values) < len(names) {
		return tensorValue{}, errArguments
	}
	var t tensorValue
	for i, name := range names {
		p, ok := r.unwrap(values[i], level+1)
		if !ok {
			return tensorValue{}, errArguments
		}
		t.parts = append(t.parts, part{name, p})
	}
	return t, nil
}

func floatScalar(f float64) tensorValue {
	return literal(checkpoint.F64, nil, binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)))
}

func intArray(shape []int64, values ...int64) tensorValue {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return literal(checkpoint.I64, shape, b)
}

// literal is a tensor that no storage holds, because the pickle has its number.
func literal(d checkpoint.DType, shape []int64, b []byte) tensorValue {
	s := &storage{data: segment.Literal(b), dtype: d, id: fmt.Sprintf("literal %p", b)}
	return tensorValue{array: &array{storage: s, dtype: d, size: shape, stride: contiguous(shape)}}
}
