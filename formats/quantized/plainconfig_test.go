package quantized

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"wfs/formats/checkpoint"
)

// TestPlainConfig takes out what says that weights are quantized, and leaves the rest as it is.
func TestPlainConfig(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		to             checkpoint.DType
	}{
		{"at the end", "{\n  \"a\": 1,\n  \"torch_dtype\": \"float16\",\n  \"quantization_config\": {\"quant_method\": \"awq\"}\n}\n", "{\n  \"a\": 1,\n  \"torch_dtype\": \"float16\"\n}\n", 0},
		{"another dtype", `{"dtype":"float16" , "quantization_config":{"bits":4,"x":[1,{}]},"z":null}`, `{"dtype":"bfloat16","z":null}`, checkpoint.BF16},
		{"at the start", `{ "quantization_config": {"quant_method":"fp8"}, "b": "dtype", "dtype":"bfloat16"}`, `{ "b": "dtype", "dtype":"bfloat16"}`, 0},
		{"two at the start", `{"quantization_config":{},"compression_config":{},"b":1,"dtype":"float32"}`, `{"b":1,"dtype":"float32"}`, 0},
		{"two at the end", `{"dtype":"float32","quantization_config":{},"compression_config":{}}`, `{"dtype":"float32"}`, 0},
		{"no dtype", `{"a": 1}`, "{\n  \"torch_dtype\": \"bfloat16\",\"a\": 1}", 0},
		{"nothing left", `{"quantization_config":null}`, "{\n  \"torch_dtype\": \"float16\"\n}", checkpoint.F16},
		{"of the text model", `{"text_config": {"quantization_config": {"quant_method": "gptq"}, "dtype": "float16", "n": 1}, "m": 1.50}`, `{"text_config": {"dtype": "float32", "n": 1}, "m": 1.50}`, checkpoint.F32},
		{"names escaped, numbers odd", `{"quantization\u005fconfig": {}, "x": 1e3, "y": 10000000000000000000001, "dtype": "float16"}`, `{"x": 1e3, "y": 10000000000000000000001, "dtype": "float16"}`, 0},
		{"a dtype that is none", `{"dtype": null, "a": 1}`, "{\n  \"torch_dtype\": \"bfloat16\",\"dtype\": null, \"a\": 1}", 0},
	} {
		got, err := PlainConfig([]byte(c.in), c.to)
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n%s\nbecomes\n%s\nwant\n%s\n%v", c.name, c.in, got, c.want, err)
		}
		if !json.Valid(got) {
			t.Errorf("%s: no JSON: %s", c.name, got)
		}
	}
	for _, in := range []string{"", "[]", "{", `{"a":}`, `"x"`, `{"dtype":"float64"}`, `{"quantization_config": 3}`, strings.Repeat("[", 1<<20)} {
		if out, err := PlainConfig([]byte(in), 0); err == nil {
			t.Errorf("%.40q becomes %q", in, out)
		}
	}
}

// FuzzPlainConfig holds what is left against encoding/json.
func FuzzPlainConfig(f *testing.F) {
	for _, seed := range []string{`{"a":1,"quantization_config":{}}`, `{"quantization_config":{},"text_config":{"dtype":"x","compression_config":[]}}`, `{"quantization_config":1,"quantization_config":2}`, `{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := PlainConfig(in, checkpoint.F16)
		if err != nil {
			return
		}
		var before, after map[string]any
		if json.Unmarshal(in, &before) != nil {
			t.Fatalf("%q is no JSON, and became %q", in, out)
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		for _, m := range []map[string]any{before, after} {
			for _, name := range append([]string{"quantization_config", "compression_config"}, dtypeNames...) {
				delete(m, name)
				if inner, ok := m["text_config"].(map[string]any); ok {
					delete(inner, name)
				}
			}
		}
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%q became %q", in, out)
		}
	})
}

// TestPlainDType asks for the dtype that configurations name, wherever they do.
func TestPlainDType(t *testing.T) {
	for _, c := range []struct {
		config string
		to     checkpoint.DType
		want   checkpoint.DType // Invalid is an error
	}{
		{"", checkpoint.Invalid, checkpoint.BF16},
		{"", checkpoint.F16, checkpoint.F16},
		{"", checkpoint.F64, checkpoint.Invalid},
		{`{}`, checkpoint.Invalid, checkpoint.BF16},
		{`{"torch_dtype": "float16"}`, checkpoint.Invalid, checkpoint.F16},
		{`{"torch_dtype": "float16", "dtype": "torch.float32"}`, checkpoint.Invalid, checkpoint.F32},
		{`{"torch_dtype": "float16"}`, checkpoint.F32, checkpoint.F32},
		{`{"dtype": "auto"}`, checkpoint.Invalid, checkpoint.BF16},
		{`{"text_config": {"dtype": "float16"}}`, checkpoint.Invalid, checkpoint.F16},
		{`{"dtype": "float64"}`, checkpoint.Invalid, checkpoint.Invalid},
		{`[]`, checkpoint.Invalid, checkpoint.Invalid},
	} {
		var config []byte
		if c.config != "" {
			config = []byte(c.config)
		}
		got, err := PlainDType(config, c.to)
		if got != c.want || (err == nil) != (c.want != checkpoint.Invalid) {
			t.Errorf("%s beside %s: %s, %v", c.config, c.to, got, err)
		}
	}
}
