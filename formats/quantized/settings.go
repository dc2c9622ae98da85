package quantized

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
)

// settings is what config.json says about quantization.
type settings struct {
	// method is quant_method, or "" where there is none.
	method string
	fields map[string]json.RawMessage
	// dtype is what the model computes in, Invalid where nothing is said.
	dtype checkpoint.DType
	// named is dtype as it is written there.
	named string
}

// methods are the quant_method that wfs knows, by what writes the weights.
var methods = map[string]string{
	"gptq": "gptq", "awq": "awq", "fp8": "fp8", "fbgemm_fp8": "fp8", "compressed-tensors": "compressed-tensors", "mxfp4": "mxfp4",
	"bitsandbytes": "bitsandbytes", "bitsandbytes_4bit": "bitsandbytes", "bitsandbytes_8bit": "bitsandbytes",
	"modelopt": "modelopt", "modelopt_fp4": "modelopt", "torchao": "torchao",
}

// sections are the members of config.json that say how weights are quantized, and of the part
// of it that is about the text model.
var sections = []string{"quantization_config", "compression_config"}

// readSettings reads a config.json; nil is one that says nothing.
func readSettings(config []byte) (*settings, error) {
	s := &settings{}
	if config == nil {
		return s, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(config, &all); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	for _, place := range []string{"", "text_config"} {
		members := all
		if place != "" {
			members = nil
			if json.Unmarshal(all[place], &members) != nil {
				continue
			}
		}
		for _, name := range sections {
			if s.fields == nil && members[name] != nil && string(members[name]) != "null" {
				if err := json.Unmarshal(members[name], &s.fields); err != nil {
					return nil, fmt.Errorf("config.json: %s: %w", name, err)
				}
			}
		}
		for _, name := range dtypeNames {
			if s.named == "" {
				_ = json.Unmarshal(members[name], &s.named) // what is no string says nothing
			}
		}
	}
	s.named = strings.TrimPrefix(s.named, "torch.")
	s.dtype = resultNamed(s.named)
	if s.fields == nil {
		return s, nil
	}
	name, err := s.text("quant_method", "")
	if err != nil {
		return nil, err
	}
	if s.method = methods[name]; s.method == "" && name != "" {
		return nil, fmt.Errorf("config.json says quant_method %.100q, and wfs dequantizes gptq, awq, fp8, fbgemm_fp8, compressed-tensors, bitsandbytes, mxfp4, modelopt and torchao", name)
	}
	return s, nil
}

// dtypeNames are the members of config.json that name the dtype that a model computes in, the
// one of today first.
var dtypeNames = []string{"dtype", "torch_dtype"}

// results are the dtypes of a plain weight.
var results = []checkpoint.DType{checkpoint.BF16, checkpoint.F16, checkpoint.F32}

// resultNamed is the one of them that torch calls so, or Invalid.
func resultNamed(name string) checkpoint.DType {
	for _, d := range results {
		if d.Torch() == name {
			return d
		}
	}
	return checkpoint.Invalid
}

// PlainDType is the dtype of the plain weights of Find: to, or, where that is Invalid, the one
// that a config.json names, or else bfloat16. config may be nil.
func PlainDType(config []byte, to checkpoint.DType) (checkpoint.DType, error) {
	s, err := readSettings(config)
	if err != nil {
		return checkpoint.Invalid, err
	}
	return s.result(to)
}

// result is PlainDType.
func (s *settings) result(to checkpoint.DType) (checkpoint.DType, error) {
	if to == checkpoint.Invalid {
		switch {
		case s.dtype != checkpoint.Invalid:
			return s.dtype, nil
		case s.named == "" || s.named == "auto":
			return checkpoint.BF16, nil
		}
		return checkpoint.Invalid, fmt.Errorf("config.json says dtype %.100q, and weights are dequantized to bf16, f16 or f32: say which", s.named)
	}
	if slices.Contains(results, to) {
		return to, nil
	}
	return checkpoint.Invalid, fmt.Errorf("weights are dequantized to BF16, F16 or F32, and not to %s", to)
}

// text is a member of the quantization_config that is a string, in lower case.
func (s *settings) text(name, otherwise string) (string, error) {
	return member(s.fields, name, otherwise, strings.ToLower)
}

// number is a member that is an integer, under one of several names.
func (s *settings) number(otherwise int64, names ...string) (int64, error) {
	for _, name := range names {
		if said(s.fields, name) {
			return member(s.fields, name, otherwise, nil)
		}
	}
	return otherwise, nil
}

// said reports whether a member is there, and not null.
func said(fields map[string]json.RawMessage, name string) bool {
	return fields[name] != nil && string(fields[name]) != "null"
}

// member decodes a member, or is otherwise where it is not there.
func member[T any](fields map[string]json.RawMessage, name string, otherwise T, norm func(T) T) (T, error) {
	if !said(fields, name) {
		return otherwise, nil
	}
	var v T
	if err := json.Unmarshal(fields[name], &v); err != nil {
		return otherwise, fmt.Errorf("config.json: %s of the quantization_config is %.100q, which is no %T", name, fields[name], v)
	}
	if norm != nil {
		v = norm(v)
	}
	return v, nil
}
