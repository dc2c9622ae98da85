package quantized

import (
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
)

// packedByColumns finds what GPTQ and AWQ have in common: the weight of a layer as int32 words,
// transposed, and zero points and scales for groups of its inputs.
func (f *finder) packedByColumns(base string) error {
	switch f.method {
	case "gptq":
		return f.gptq(base)
	case "awq":
		return f.awq(base)
	}
	return fmt.Errorf("%.200q is of GPTQ, AWQ or the like, and its bits and the format of its zero points are in the quantization_config of a config.json, "+
		"which is not there or is of another format", base+".qweight")
}

// columns is a weight of GPTQ or AWQ.
type columns struct {
	*parts
	qweight, qzeros, scales *checkpoint.Tensor
	groups, out             int64
}

func (f *finder) columns(base, format string) (*columns, error) {
	c := &columns{parts: f.group(format)}
	for _, t := range []struct {
		to     **checkpoint.Tensor
		name   string
		dtypes []checkpoint.DType
	}{{&c.qweight, "qweight", []checkpoint.DType{checkpoint.I32}}, {&c.qzeros, "qzeros", []checkpoint.DType{checkpoint.I32}}, {&c.scales, "scales", halves}} {
		key := base + "." + t.name
		tensor, err := c.need(key, t.dtypes...)
		if err != nil {
			return nil, err
		}
		if len(tensor.Shape) != 2 || slices.Contains(tensor.Shape, 0) {
			return nil, fmt.Errorf("%.200q is %s %s, and %s has a matrix there", key, tensor.DType, checkpoint.ShapeText(tensor.Shape), format)
		}
		*t.to = tensor
	}
	c.groups, c.out = c.scales.Shape[0], c.scales.Shape[1]
	return c, c.sides(base)
}

// gptq is a weight of GPTQ: qweight int32 [in·bits/32, out], scales [groups, out], qzeros int32
// [groups, out·bits/32], g_idx int32 [in], all codes dense, the first in the lowest bits. The
// result is scales·(code − zero) as [out, in], in the dtype of the scales
// (gptqmodel/nn_modules/qlinear/__init__.py, dequantize_weight).
func (f *finder) gptq(base string) error {
	c, err := f.columns(base, "GPTQ")
	if err != nil {
		return err
	}
	less, err := f.zeroFormat()
	if err != nil {
		return err
	}
	bits, err := f.number(0, "bits")
	if err != nil {
		return err
	}
	size, err := f.number(-1, "group_size")
	if err != nil {
		return err
	}
	packed32 := c.qweight.Shape[0]
	index := c.optional(base + ".g_idx")
	if index != nil {
		if err := c.is(base+".g_idx", index, checkpoint.I32); err != nil {
			return err
		}
		if len(index.Shape) != 1 || index.Shape[0] == 0 {
			return fmt.Errorf("%.200q is I32 %s, and GPTQ has the group of each input there", base+".g_idx", checkpoint.ShapeText(index.Shape))
		}
		if said(f.fields, "dynamic") { // some layers have bits of their own
			bits = packed32 * 32 / index.Shape[0]
		}
	}
	if !slices.Contains([]int64{2, 3, 4, 8}, bits) {
		return fmt.Errorf("%.200q has %d bits: wfs dequantizes GPTQ of 2, 3, 4 and 8", base+".qweight", bits)
	}
	if packed32 > 1<<50 {
		return fmt.Errorf("%.200q has too many rows", base+".qweight")
	}
	in := packed32 * 32 / bits
	if index != nil {
		in = index.Shape[0]
	}
	if in%32 != 0 && bits == 3 || ceil(in*bits, 32) != packed32 {
		return fmt.Errorf("%.200q is I32 %s, and a weight with %d inputs has %d rows of %d bits", base+".qweight", checkpoint.ShapeText(c.qweight.Shape), in, ceil(in*bits, 32), bits)
	}
	if err := c.shaped(base+".qweight", c.qweight, []int64{packed32, c.out}); err != nil {
		return err
	}
	if err := c.shaped(base+".qzeros", c.qzeros, []int64{c.groups, ceil(c.out*bits, 32)}); err != nil {
		return err
	}
	if size <= 0 {
		size = in
	}
	switch {
	case index == nil && ceil(in, size) != c.groups, c.groups > in:
		return fmt.Errorf("%.200q has %d groups, and a weight with %d inputs in groups of %d has %d", base+".scales", c.groups, in, size, ceil(in, size))
	case index != nil && c.groups > mostIndexed:
		return fmt.Errorf("%.200q has %d groups, more than wfs takes with a g_idx: %d", base+".scales", c.groups, mostIndexed)
	}

	m := &matrix{dtype: c.scales.DType, rows: c.out, cols: in, values: counting(1<<bits, 0), tall: 1, wide: size, groups: c.groups}
	words32, err := f.transposed(c.qweight.Data, 4, packed32, c.out)
	if err != nil {
		return err
	}
	m.codes = &packed{data: words32, bits: bits, pitch: 4 * packed32}
	if err := c.tables(m, &words{bits: bits, less: less}); err != nil {
		return err
	}
	if index != nil {
		m.index = index.Data
	}
	array, err := m.array(c.out, in)
	if err != nil {
		return fmt.Errorf("%.200q: %w", base+".qweight", err)
	}
	return c.done(base+".weight", array, fmt.Sprintf("GPTQ, %d bit, %s", bits, groupsOf(size, in)))
}

// tables makes the scales and zero points of m, which zeros describes.
func (c *columns) tables(m *matrix, zeros *words) error {
	elem := int64(c.scales.DType.Bits() / 8)
	scales, err := c.f.transposed(c.scales.Data, elem, c.groups, c.out)
	if err != nil {
		return err
	}
	if m.scales, err = floats(scales, c.scales.DType, c.groups); err != nil {
		return err
	}
	if zeros.data, err = c.f.transposed(c.qzeros.Data, 4, c.groups, c.qzeros.Shape[1]); err != nil {
		return err
	}
	zeros.n = c.groups
	m.zeros = zeros.read
	return nil
}

// zeroFormat is what GPTQ's zero points are less by: 1 in the first format, 0 in the second.
func (f *finder) zeroFormat() (uint32, error) {
	for _, name := range []string{"pack_dtype", "checkpoint_format", "format"} {
		v, err := f.text(name, "")
		if err != nil {
			return 0, err
		}
		switch {
		case name == "pack_dtype" && v != "" && v != "int32":
			return 0, fmt.Errorf("config.json says pack_dtype %.100q, and wfs dequantizes GPTQ in int32", v)
		case name == "pack_dtype", v == "":
		case v == "gptq":
			return 1, nil
		case v == "gptq_v2":
			return 0, nil
		default:
			return 0, fmt.Errorf("config.json says %s %.100q, and wfs dequantizes gptq and gptq_v2", name, v)
		}
	}
	return 1, nil
}

// groupsOf says how many columns have a scale together.
func groupsOf(size, cols int64) string {
	if size >= cols {
		return "a scale for each row"
	}
	return fmt.Sprintf("groups of %d", size)
}
