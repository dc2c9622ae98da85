package quantized

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/segment"
)

// quantState is what bitsandbytes writes as JSON into a tensor of bytes
// (bitsandbytes/functional.py, QuantState.as_dict).
type quantState struct {
	Type         string  `json:"quant_type"`
	BlockSize    int64   `json:"blocksize"`
	DType        string  `json:"dtype"`
	Shape        []int64 `json:"shape"`
	NestedSize   int64   `json:"nested_blocksize"`
	NestedOffset float64 `json:"nested_offset"`
}

// mostState is the largest quant_state that is read.
const mostState = 64 << 10

// fourBit is a weight of bitsandbytes' nf4 or fp4: codes of four bits, the first in the upper
// half of a byte, in blocks that run over the whole tensor; a map of 16 numbers; and the
// largest of each block, absmax, which may be quantized itself. The product is in the dtype of
// the quant_state (bitsandbytes/backends/default/ops.py, _dequantize_4bit_compute).
func (f *finder) fourBit(key string) error {
	p := f.group("bitsandbytes")
	stateKey := key + ".quant_state.bitsandbytes__nf4"
	if _, ok := f.at[stateKey]; !ok {
		stateKey = key + ".quant_state.bitsandbytes__fp4"
	}
	weight, err := p.need(key)
	if err != nil {
		return err
	}
	state, err := p.state(stateKey)
	if err != nil {
		return err
	}
	dtype := resultNamed(state.DType)
	size, err := checkpoint.ByteSize(dtype, state.Shape)
	if dtype == checkpoint.Invalid || err != nil || state.BlockSize < 1 || state.BlockSize > 1<<20 || len(state.Shape) == 0 {
		return fmt.Errorf("%.200q says dtype %.40q, shape %.100s and blocks of %d, which is no weight", stateKey, state.DType, checkpoint.ShapeText(state.Shape), state.BlockSize)
	}
	count := size / int64(dtype.Bits()/8)
	// The bytes may be stored as another dtype, whose elements they fill.
	if have := weight.Data.Size(); have < ceil(count, 2) || have > ceil(count, 2)+7 {
		return fmt.Errorf("%.200q has %d bytes, and %s of four bits has %d", key, have, checkpoint.ShapeText(state.Shape), ceil(count, 2))
	}
	values, err := p.map32(key+".quant_map", 16)
	if err != nil {
		return err
	}
	// The kernels of the library have a second zero with a sign, whatever the map says; what it takes for rows of an
	// odd length has not (bitsandbytes/backends/cpu/ops.py).
	if state.Type == "fp4" && values[8] == 0 && state.Shape[len(state.Shape)-1]%2 == 0 {
		values[8] = float32(math.Copysign(0, -1))
	}
	blocks := ceil(count, state.BlockSize)
	absmaxKey := key + ".absmax"
	absmax, err := p.need(absmaxKey, append(slices.Clone(halves), checkpoint.U8)...)
	if err != nil {
		return err
	}
	if err := p.shaped(absmaxKey, absmax, []int64{blocks}); err != nil {
		return err
	}
	what := fmt.Sprintf("bitsandbytes %s, blocks of %d", state.Type, state.BlockSize)
	var scales table
	if absmax.DType == checkpoint.U8 {
		what += ", nested"
		scales, err = p.nested(key, state, absmax)
	} else {
		scales, err = floats(absmax.Data, absmax.DType, blocks)
	}
	if err != nil {
		return err
	}
	m := &matrix{dtype: dtype, rows: 1, cols: count, values: values, tall: 1, wide: state.BlockSize, groups: max(1, blocks), scales: scales}
	m.codes = &packed{data: weight.Data, bits: 4, pitch: weight.Data.Size(), high: true}
	array, err := m.array(state.Shape...)
	if err != nil {
		return fmt.Errorf("%.200q: %w", key, err)
	}
	return p.done(key, array, what)
}

// nested is the table of an absmax that is quantized: nested_quant_map · nested_absmax + nested_offset.
func (p *parts) nested(key string, state *quantState, absmax *checkpoint.Tensor) (table, error) {
	values, err := p.map32(key+".nested_quant_map", 256)
	if err != nil {
		return nil, err
	}
	outerKey := key + ".nested_absmax"
	outer, err := p.need(outerKey, halves...)
	if err != nil {
		return nil, err
	}
	if state.NestedSize < 1 || state.NestedSize > 1<<20 {
		return nil, fmt.Errorf("the quant_state of %.200q says nested blocks of %d", key, state.NestedSize)
	}
	if err := p.shaped(outerKey, outer, []int64{ceil(absmax.Shape[0], state.NestedSize)}); err != nil {
		return nil, err
	}
	factors, err := floats(outer.Data, outer.DType, outer.Shape[0])
	if err != nil {
		return nil, err
	}
	codes := lookedUp(absmax.Data, (*[256]float32)(values), absmax.Shape[0])
	offset, size := float32(state.NestedOffset), state.NestedSize
	return func(read segment.ReadFunc, s *scratch, dst []float32, row, rows, group, n int64) error {
		if err := codes(read, s, dst, row, rows, group, n); err != nil {
			return err
		}
		first := group / size
		outer := make([]float32, (group+n-1)/size-first+1)
		if err := factors(read, s, outer, 0, 1, first, int64(len(outer))); err != nil {
			return err
		}
		for i := range dst {
			dst[i] = float32(dst[i]*outer[(group+int64(i))/size-first]) + offset
		}
		return nil
	}, nil
}

// state reads a quant_state.
func (p *parts) state(key string) (*quantState, error) {
	t, err := p.need(key, checkpoint.U8)
	if err != nil {
		return nil, err
	}
	if t.Data.Size() > mostState {
		return nil, fmt.Errorf("%.200q has %d bytes, more than wfs reads of a quant_state", key, t.Data.Size())
	}
	text, err := readWhole(key, t)
	if err != nil {
		return nil, err
	}
	state := &quantState{}
	if err := json.Unmarshal(text, state); err != nil {
		return nil, fmt.Errorf("%.200q: %w", key, err)
	}
	if state.Type != "nf4" && state.Type != "fp4" {
		return nil, fmt.Errorf("%.200q says quant_type %.40q, and wfs dequantizes nf4 and fp4", key, state.Type)
	}
	return state, nil
}

// map32 reads a tensor of n float32.
func (p *parts) map32(key string, n int64) ([]float32, error) {
	t, err := p.need(key, checkpoint.F32)
	if err != nil {
		return nil, err
	}
	if err := p.shaped(key, t, []int64{n}); err != nil {
		return nil, err
	}
	return readFloats(key, t)
}

// eightBit is a weight of LLM.int8: int8 [rows, cols], and SCB, the largest of each row. The
// result is weight·SCB/127, with 1/127 as bitsandbytes has it (bitsandbytes/_ops.py,
// int8_vectorwise_dequant).
func (f *finder) eightBit(base string) error {
	p := f.group("LLM.int8")
	key, scaleKey := base+".weight", base+".SCB"
	weight, err := p.need(key, checkpoint.I8)
	if err != nil {
		return err
	}
	scale, err := p.need(scaleKey, checkpoint.F32)
	if err != nil {
		return err
	}
	if err := p.sides(base); err != nil {
		return err
	}
	if len(weight.Shape) != 2 || slices.Contains(weight.Shape, 0) {
		return fmt.Errorf("%.200q is I8 %s, and LLM.int8 has a matrix there", key, checkpoint.ShapeText(weight.Shape))
	}
	rows, cols := weight.Shape[0], weight.Shape[1]
	if err := p.shaped(scaleKey, scale, []int64{rows}); err != nil {
		return err
	}
	scales, err := floats(scale.Data, checkpoint.F32, 1)
	if err != nil {
		return err
	}
	m := &matrix{dtype: f.to, rows: rows, cols: cols, values: signed(), tall: 1, wide: cols, groups: 1, scales: scales, post: 7.874015718698502e-3}
	m.codes = &packed{data: weight.Data, bits: 8, pitch: cols}
	array, err := m.array(rows, cols)
	if err != nil {
		return fmt.Errorf("%.200q: %w", key, err)
	}
	return p.done(key, array, "LLM.int8, a scale for each row")
}

// readFloats reads a small tensor of float32.
func readFloats(key string, t *checkpoint.Tensor) ([]float32, error) {
	b, err := readWhole(key, t)
	if err != nil {
		return nil, err
	}
	values := make([]float32, len(b)/4)
	ops.Widen(values, b, t.DType)
	return values, nil
}
