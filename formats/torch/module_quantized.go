package torch

import (
	"encoding/binary"
	"math"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
)

// convState is the tuple that a quantized convolution pickles itself as
// (torch/ao/nn/quantized/modules/conv.py, _ConvNd.__getstate__); these are the places of
// what its state_dict() has.
var convState = struct{ length, weight, bias, scale, zeroPoint int }{15, 10, 11, 12, 13}

// isQuantized reports whether the class of m is of torch.ao.nn.quantized, or of the
// name that the package had before. TorchScript puts a name of its own in front.
func (m *module) isQuantized() bool {
	name, _ := asGlobal(m.object.Callable)
	of := strings.TrimPrefix(name.module, "__torch__.")
	return strings.HasPrefix(of, "torch.ao.nn.quantized.") || strings.HasPrefix(of, "torch.nn.quantized.") ||
		strings.HasPrefix(of, "torch.ao.nn.intrinsic.quantized.") || strings.HasPrefix(of, "torch.nn.intrinsic.quantized.")
}

// scalesOutput reports whether the class adds scale and zero_point to its state dict
// (torch/ao/nn/quantized/modules: conv.py, linear.py, functional_modules.py).
func (m *module) scalesOutput() bool {
	class, _ := asGlobal(m.object.Callable)
	return strings.HasPrefix(class.name, "Conv") || strings.HasPrefix(class.name, "Linear") || class.name == "QFunctional"
}

// quantized lists what quantized modules add to their state dict: the scale and the
// zero point of their output, and the weights that they keep packed.
func (c *collector) quantized(path string, m *module, depth int) {
	if !m.isQuantized() {
		return
	}
	for _, p := range m.attributes {
		if name := keyText(p.Key); m.scalesOutput() && (name == "scale" || name == "zero_point") {
			if t, ok := outputParameter(p.Value); ok {
				c.add(join(path, name, depth), t)
			}
		}
	}
	for _, p := range m.attributes {
		if content, ok := scriptContent(p.Value); ok {
			c.walk(join(path, keyText(p.Key), depth), content, depth+1)
		}
	}
}

// scriptContent is what an object of a TorchScript class holds: its state is (content,
// class). The packed weight of an embedding is (version, [weight], [], [bits]), of which
// the state dict has the weight (torch/ao/nn/quantized/modules/embedding_ops.py).
func scriptContent(v pickle.Value) (pickle.Value, bool) {
	obj, ok := v.(*pickle.Object)
	if !ok {
		return nil, false
	}
	state, _ := items(obj.State)
	if name, _ := asGlobal(obj.Callable); name != (global{"torch", "ScriptObject"}) || len(state) != 2 {
		return nil, false
	}
	if class, _ := text(state[1]); strings.HasSuffix(class, ".EmbeddingPackedParamsBase") {
		if fields, _ := items(state[0]); len(fields) > 1 {
			if weights, _ := items(fields[1]); len(weights) == 1 {
				return weights[0], true
			}
		}
	}
	return state[0], true
}

// outputParameter is the tensor that state_dict() makes of a Python number.
func outputParameter(v pickle.Value) (tensorValue, bool) {
	switch v := v.(type) {
	case float64:
		return literal(checkpoint.F32, nil, binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v)))), true
	case int64:
		return intArray(nil, v), true
	}
	return tensorValue{}, false
}

// convolution recognises a quantized convolution, whose state is a tuple.
func convolution(obj *pickle.Object) (*module, bool) {
	m := &module{object: obj}
	state, ok := obj.State.(*pickle.Tuple)
	if !ok || len(state.Items) != convState.length || !m.isQuantized() {
		return nil, false
	}
	at := func(name string, i int) pickle.Pair { return pickle.Pair{Key: name, Value: state.Items[i]} }
	m.parameters = []pickle.Pair{at("weight", convState.weight), at("bias", convState.bias)}
	m.attributes = []pickle.Pair{at("scale", convState.scale), at("zero_point", convState.zeroPoint)}
	return m, true
}
