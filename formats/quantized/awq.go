package quantized

import "fmt"

// awq is a weight of AWQ's "gemm": qweight int32 [in, out/8], scales [groups, out], qzeros int32
// [groups, out/8], eight codes of four bits in a word in an order of their own. The result is
// (code − zero)·scales as [out, in], in the dtype of the scales (awq/utils/packing_utils.py,
// dequantize_gemm).
func (f *finder) awq(base string) error {
	c, err := f.columns(base, "AWQ")
	if err != nil {
		return err
	}
	for _, name := range []string{"version", "checkpoint_format", "format"} {
		v, err := f.text(name, "gemm")
		if err != nil {
			return err
		}
		if v != "gemm" {
			return fmt.Errorf("config.json says %s %.100q of AWQ, and wfs dequantizes gemm", name, v)
		}
	}
	bits, err := f.number(4, "bits", "w_bit")
	if err != nil {
		return err
	}
	if bits != 4 {
		return fmt.Errorf("config.json says %d bits of AWQ, and wfs dequantizes 4", bits)
	}
	size, err := f.number(128, "group_size", "q_group_size")
	if err != nil {
		return err
	}
	in := c.qweight.Shape[0]
	if size <= 0 {
		size = in
	}
	if c.groups > in || size*c.groups != in {
		return fmt.Errorf("%.200q has %d groups of %d, and the weight has %d inputs", base+".scales", c.groups, size, in)
	}
	if c.out%8 != 0 {
		return fmt.Errorf("%.200q has %d outputs, and AWQ packs eight together", base+".scales", c.out)
	}
	if err := c.shaped(base+".qweight", c.qweight, []int64{in, c.out / 8}); err != nil {
		return err
	}
	if err := c.shaped(base+".qzeros", c.qzeros, []int64{c.groups, c.out / 8}); err != nil {
		return err
	}
	places := []int64{0, 4, 1, 5, 2, 6, 3, 7} // AWQ_REVERSE_ORDER
	m := &matrix{dtype: c.scales.DType, rows: c.out, cols: in, values: counting(16, 0), tall: 1, wide: size, groups: c.groups}
	data, err := f.transposed(c.qweight.Data, 4, in, c.out/8)
	if err != nil {
		return err
	}
	m.codes = &cells{data: data, size: 4, cols: in, places: places}
	if err := c.tables(m, &words{bits: 4, places: places}); err != nil {
		return err
	}
	array, err := m.array(c.out, in)
	if err != nil {
		return fmt.Errorf("%.200q: %w", base+".qweight", err)
	}
	return c.done(base+".weight", array, "AWQ, 4 bit, "+groupsOf(size, in))
}
