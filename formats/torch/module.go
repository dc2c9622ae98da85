package torch

import "wfs/formats/pickle"

// module is the pickled state of a torch.nn.Module: its class is not needed to
// know its state dict.
type module struct {
	object     *pickle.Object
	attributes []pickle.Pair
	parameters []pickle.Pair
	buffers    []pickle.Pair
	modules    []pickle.Pair
	transient  map[string]bool // names of non-persistent buffers
}

// asModule recognises a module by the attributes that every one has
// (torch/nn/modules/module.py, Module.__init__).
func asModule(v pickle.Value) (*module, bool) {
	obj, ok := v.(*pickle.Object)
	if !ok {
		return nil, false
	}
	if m, ok := rebuiltModule(obj); ok {
		return m, true
	}
	if m, ok := convolution(obj); ok {
		return m, true
	}
	m := &module{object: obj, attributes: attributes(obj.State), transient: map[string]bool{}}
	found := 0
	for _, p := range m.attributes {
		name, _ := text(p.Key)
		list, isDict := pairs(p.Value)
		switch {
		case name == "_parameters" && isDict:
			m.parameters = list
			found++
		case name == "_buffers" && isDict:
			m.buffers = list
		case name == "_modules" && isDict:
			m.modules = list
			found++
		case name == "_non_persistent_buffers_set":
			names, _ := items(p.Value)
			for _, n := range names {
				s, _ := text(n)
				m.transient[s] = true
			}
		}
	}
	return m, found == 2
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
	for _, list := range [][]pickle.Pair{m.parameters, m.buffers} {
		for _, p := range list {
			name := keyText(p.Key)
			if c.beyond(path) {
				return
			}
			if t, ok := c.tensor(p.Value); ok && !m.transient[name] {
				c.add(join(path, name, depth), t)
			}
		}
	}
	c.quantized(path, m, depth)
	c.submodules(path, m, depth, c.stateDict)
}

// submodules goes on with each of them. A module may be in another under several
// names, and then has several; one that contains itself ends there.
func (c *collector) submodules(path string, m *module, depth int, walk func(string, *module, int)) {
	for _, p := range m.modules {
		if c.beyond(path) {
			return
		}
		if sub, ok := asModule(p.Value); ok && depth < maxDepth && !c.walking[p.Value] {
			c.walking[p.Value] = true
			walk(join(path, keyText(p.Key), depth), sub, depth+1)
			delete(c.walking, p.Value)
		}
	}
}

// hideTensors lists non-persistent buffers and tensors in plain attributes: they
// can be read, but are no part of the state dict. An attribute that is a tensor
// of the state dict under another name (an RNN's _flat_weights) is not repeated.
func (c *collector) hideTensors(path string, m *module, depth int) {
	c.hidden = "non-persistent buffer"
	for _, p := range m.buffers {
		name := keyText(p.Key)
		if t, ok := c.tensor(p.Value); ok && m.transient[name] {
			c.add(join(path, name, depth), t)
		}
	}
	c.hidden = "plain attribute of a module"
	for _, p := range m.attributes {
		name := keyText(p.Key)
		if c.beyond(path) {
			return
		}
		t, ok := c.tensor(p.Value)
		if !ok || internal[name] || t.array == nil || c.first[t.array.identity()] != nil {
			continue
		}
		c.add(join(path, name, depth), t)
	}
	c.submodules(path, m, depth, c.hideTensors)
}
