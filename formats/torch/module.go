package torch

import (
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
)

// module is the pickled state of a torch.nn.Module: its class is not needed to
// know its state dict.
type module struct {
	object     *pickle.Object
	attributes []pickle.Pair
	parameters []pickle.Pair
	buffers    []pickle.Pair
	modules    []pickle.Pair
	transient  map[string]bool // names of non-persistent buffers
	direct     bool            // the object's state is its __dict__
}

// asModule recognises a module by the attributes that every one has
// (torch/nn/modules/module.py, Module.__init__).
func asModule(v pickle.Value) (*module, bool) {
	obj, ok := whole(v).(*pickle.Object)
	if !ok {
		return nil, false
	}
	if m, ok := rebuiltModule(obj); ok {
		return m, true
	}
	if m, ok := convolution(obj); ok {
		return m, true
	}
	dict := attributes(obj.State)
	direct := isModuleDict(dict)
	if !direct {
		if dict, ok = moduleDict(obj); !ok {
			return nil, false
		}
	}
	m := &module{object: obj, attributes: dict, transient: map[string]bool{}, direct: direct}
	for _, p := range dict {
		list, isDict := pairs(p.Value)
		switch name, _ := text(p.Key); {
		case name == "_parameters" && isDict:
			m.parameters = list
		case name == "_buffers" && isDict:
			m.buffers = list
		case name == "_modules" && isDict:
			m.modules = list
		case name == "_non_persistent_buffers_set":
			names, _ := items(p.Value)
			for _, n := range names {
				s, _ := text(n)
				m.transient[s] = true
			}
		}
	}
	return m, true
}

// isModuleDict reports whether the list is the __dict__ of a module.
func isModuleDict(list []pickle.Pair) bool {
	found := 0
	for _, p := range list {
		switch name, _ := text(p.Key); name {
		case "_parameters", "_buffers", "_modules":
			if _, isDict := pairs(p.Value); isDict {
				found++
			}
		}
	}
	return found > 1
}

// Bounds of the search in a state or arguments that are not what they usually are.
const (
	maxStateDepth  = 4
	maxStateValues = 64
)

// only is the one dict that is reports true for in the containers at v, however they are
// nested. Objects other than dicts are not looked into: they are values of their own.
func only(is func(v pickle.Value, entries []pickle.Pair) bool, roots ...pickle.Value) (dict pickle.Value, ok bool) {
	found, values := 0, 0
	var search func(v pickle.Value, depth int)
	search = func(v pickle.Value, depth int) {
		if values++; values > maxStateValues || depth > maxStateDepth {
			return
		}
		entries, isDict := pairs(v)
		if isDict && is(v, entries) {
			if dict != v {
				found++
			}
			dict = v
			return
		}
		if _, isObject := v.(*pickle.Object); isObject && !isDict {
			return
		}
		for _, p := range entries[:min(len(entries), maxStateValues)] {
			search(p.Value, depth+1)
		}
		list, _ := items(v)
		for _, item := range list[:min(len(list), maxStateValues)] {
			search(item, depth+1)
		}
	}
	for _, root := range roots {
		search(root, 0)
	}
	return dict, found == 1
}

// moduleDict is the __dict__ of a module that is pickled with it in something else, beside
// a version: in what __getstate__ returns, or in the arguments of __reduce__.
func moduleDict(obj *pickle.Object) ([]pickle.Pair, bool) {
	dict, ok := only(func(_ pickle.Value, entries []pickle.Pair) bool { return isModuleDict(entries) }, obj.State, obj.Args)
	list, _ := pairs(dict)
	return list, ok
}

// stateDictIn is the state dict that an object is pickled with: what state_dict() returns
// has the versions of the modules in an attribute.
func stateDictIn(obj *pickle.Object) (pickle.Value, bool) {
	return only(func(v pickle.Value, _ []pickle.Pair) bool {
		dict, ok := v.(*pickle.Object)
		return ok && hasKey(dict.State, "_metadata")
	}, obj.State, obj.Args)
}

// rebuiltModule recognises modules that pickle as a call with their parts as arguments.
func rebuiltModule(obj *pickle.Object) (*module, bool) {
	args, _ := items(obj.Args)
	if len(args) == 0 {
		return nil, false
	}
	name, _ := asGlobal(obj.Callable)
	switch name {
	case global{"torch.fx.graph_module", "reduce_graph_module"}, global{"torch.fx.graph_module", "reduce_package_graph_module"},
		global{"torch.fx.graph_module", "reduce_deploy_graph_module"}: // (__dict__, imports)
		for _, arg := range args {
			if body, ok := arg.(*pickle.Dict); ok {
				return asModule(&pickle.Object{Callable: obj.Callable, State: body})
			}
		}
	case global{"torch._dynamo.eval_frame", "OptimizedModule"}: // (module, dynamo context)
		if _, ok := asModule(args[0]); ok {
			return &module{object: obj, modules: []pickle.Pair{{Key: "_orig_mod", Value: args[0]}}}, true
		}
	}
	return nil, false
}

// internal are the attributes of a module that state_dict() does not look at.
var internal = map[string]bool{"_parameters": true, "_buffers": true, "_modules": true, "_non_persistent_buffers_set": true}

// module lists what model.state_dict() would: parameters, persistent buffers, then
// submodules, in order (torch/nn/modules/module.py, _save_to_state_dict). Then, hidden
// from the view, the other tensors that the module holds.
func (c *collector) module(path string, m *module, depth int) {
	c.stateDict(path, m, depth)
	before := c.hidden
	c.hideTensors(path, m, depth)
	c.hidden = before
}

func (c *collector) stateDict(path string, m *module, depth int) {
	c.looked[m.object] = true
	for _, list := range [][]pickle.Pair{m.parameters, m.buffers} {
		for name, v := range named(list) {
			if c.beyond(path) {
				return
			}
			if !m.transient[name] {
				c.walk(join(path, name, depth), v, depth+1)
			}
		}
	}
	c.quantized(path, m, depth)
	c.submodules(path, m, depth, c.stateDict, c.opaque)
}

// submodules goes on with each of them. A module may be in another under several
// names, and then has several; one that contains itself ends there. other is for what
// is not known as a module.
func (c *collector) submodules(
	path string, m *module, depth int, walk func(string, *module, int), other func(string, pickle.Value, int),
) {
	for name, v := range named(m.modules) {
		if c.beyond(path) {
			return
		}
		sub, ok := asModule(v)
		if !ok && container(v) {
			other(join(path, name, depth), v, depth+1)
		}
		if !ok || c.walking[v] {
			continue
		}
		if depth >= maxDepth {
			c.damaged(path, errDeep)
			return
		}
		c.walking[v] = true
		walk(join(path, name, depth), sub, depth+1)
		delete(c.walking, v)
	}
}

// opaque lists the tensors of a submodule that pickles itself in a way of its own
// (__getstate__, __reduce__), so that their keys in the state dict are not in the file:
// those of a state dict where it holds one, or else the places that they have in it.
func (c *collector) opaque(path string, v pickle.Value, depth int) {
	inner, found, known, placed := v, c.found(), false, len(c.placed)
	if obj, ok := whole(v).(*pickle.Object); ok {
		if inner, known = stateDictIn(obj); !known {
			inner = v
			for _, p := range attributes(obj.State) {
				if key := keyText(p.Key); slices.Contains(stateDictNames, key) && stringKeys(p.Value) && c.holdsTensor(p.Value, 0) {
					inner = p.Value
				}
			}
		}
	}
	c.walk(path, inner, depth)
	if inner != v {
		c.hide(checkpoint.PlainAttribute, func() { c.walk(path, v, depth) })
	}
	if c.found() > found && !known {
		c.opaques = append(c.opaques, path)
	}
	c.placed = c.placed[:placed] // that note says it
}

// hideTensors lists non-persistent buffers and the tensors in everything else that a
// module holds: they can be read, but are no part of the state dict. A tensor that is in
// the state dict under another name (an RNN's _flat_weights) is not repeated.
func (c *collector) hideTensors(path string, m *module, depth int) {
	hidden := c.hidden
	c.hidden = "non-persistent buffer"
	for name, v := range named(m.buffers) {
		if m.transient[name] {
			c.walk(join(path, name, depth), v, depth+1)
		}
	}
	c.hidden = hidden
	c.hide(checkpoint.PlainAttribute, func() {
		for name, v := range named(m.attributes) {
			if c.beyond(path) {
				return
			}
			if !internal[name] {
				c.walk(join(path, name, depth), v, depth+1)
			}
		}
		if m.direct && len(m.arguments()) == 0 {
			return
		}
		members(m.object, func(name string, v pickle.Value) bool {
			if !internal[name] && container(v) && !isModuleDict(entriesOf(v)) {
				c.walk(join(path, name, depth), v, depth+1)
			}
			return c.fault == nil
		})
	})
	c.submodules(path, m, depth, c.hideTensors, func(string, pickle.Value, int) {})
}

// arguments are those of the call that makes the module.
func (m *module) arguments() []pickle.Value {
	_, _, args := contents(m.object)
	return args
}

func entriesOf(v pickle.Value) []pickle.Pair {
	list, _ := pairs(v)
	return list
}
