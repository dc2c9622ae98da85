package view

import (
	"encoding/json"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/quantity"
)

// Dequantize has quantized weights shown as the floating-point numbers that they stand for.
type Dequantize struct {
	Wanted bool
	// To is the dtype: F32, F16 or BF16. Invalid is what the configuration of the model says,
	// or else BF16.
	To checkpoint.DType
}

// dequantize makes plain tensors of those that are quantized.
func (d *deriving) dequantize() error {
	if !d.rules.Dequantize.Wanted {
		return nil
	}
	count := 0
	for i, nodes := range d.sets {
		to := d.rules.Dequantize.To
		if to == checkpoint.Invalid {
			to = dtypeOf(d.config(d.plan.Sets[i]))
		}
		for _, n := range nodes {
			if from := n.array.DType; from.Bits() == 0 && ops.Casts(from, to) {
				array, err := n.array.To(to)
				if err != nil {
					return fmt.Errorf("%.200q: %w", n.key, err)
				}
				n.array = array
				n.by(fmt.Sprintf("dequantized from %s", from))
				count++
			}
		}
	}
	if count == 0 {
		return fmt.Errorf("--dequantize: no tensor is quantized in a way that wfs knows")
	}
	d.plan.note(quantity.Of(count, "tensor") + " are dequantized in the view")
	return nil
}

// config is the text of the configuration beside the weights of a set, nil for none.
func (d *deriving) config(set Set) []byte {
	for _, f := range d.plan.Model.Files {
		if f.Path == set.Join(configName) {
			if text, err := readConfig(f.Source); err == nil {
				return text
			}
		}
	}
	return nil
}

// dtypeOf is the dtype that a configuration of transformers says its weights have, or BF16.
func dtypeOf(config []byte) checkpoint.DType {
	var c struct {
		Old string `json:"torch_dtype"`
		New string `json:"dtype"`
	}
	if json.Unmarshal(config, &c) == nil {
		for _, dtype := range []checkpoint.DType{checkpoint.F32, checkpoint.F16, checkpoint.BF16} {
			if c.New == dtype.Torch() || c.New == "" && c.Old == dtype.Torch() {
				return dtype
			}
		}
	}
	return checkpoint.BF16
}
