package quantized

import (
	"fmt"
	"math"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// microscaled is experts as gpt-oss has them: blocks uint8 [experts, rows, groups, 16], 32 codes
// of e2m1, and scales uint8 [experts, rows, groups], powers of two. The result is [experts,
// groups·32, rows] (transformers/integrations/mxfp4.py, convert_moe_packed_tensors).
func (f *finder) microscaled(base string) error {
	if _, ok := f.at[base+"_scales"]; !ok {
		return nil // any key may end so
	}
	p := f.group("MXFP4")
	blocks, err := p.need(base+"_blocks", checkpoint.U8)
	if err != nil {
		return err
	}
	scales, err := p.need(base+"_scales", checkpoint.U8)
	if err != nil {
		return err
	}
	shape := blocks.Shape
	if len(shape) != 4 || shape[3] != 16 || slices.Contains(shape, 0) {
		return fmt.Errorf("%.200q is U8 %s, and MXFP4 has experts, rows, groups and 16 bytes there", base+"_blocks", checkpoint.ShapeText(shape))
	}
	if err := p.shaped(base+"_scales", scales, shape[:3]); err != nil {
		return err
	}
	experts, rows, groups := shape[0], shape[1], shape[2]
	turned := func(data segment.Data, elem int64) (segment.Data, error) {
		return segment.NewStrided(f.bands, data, data.Size(), 0, elem, []int64{experts, groups, rows}, []int64{rows * groups, 1, groups})
	}
	data, err := turned(blocks.Data, 16)
	if err != nil {
		return err
	}
	exps, err := turned(scales.Data, 1)
	if err != nil {
		return err
	}
	places := make([]int64, 32)
	for i := range places {
		places[i] = int64(i)
	}
	// torch.ldexp does not overflow where the power alone would: of 2^128, the half is in the value.
	values, powers := small(checkpoint.F4), new([256]float32)
	for i := range values {
		values[i] *= 2
	}
	for b := range powers {
		powers[b] = float32(math.Ldexp(1, b-128))
	}
	m := &matrix{dtype: f.to, rows: experts * groups * 32, cols: rows, values: values, tall: 32, wide: 1, groups: rows}
	m.codes = &cells{data: data, size: 16, cols: rows, places: places}
	m.scales = lookedUp(exps, powers, rows)
	array, err := m.array(experts, groups*32, rows)
	if err != nil {
		return fmt.Errorf("%.200q: %w", base+"_blocks", err)
	}
	return p.done(base, array, "MXFP4, blocks of 32")
}
