package torch

import (
	"iter"
	"slices"
	"strconv"

	"wfs/formats/pickle"
)

// named goes over the entries of a dict by the text of their keys. Keys that Python tells
// apart and that are alike as text (1 and "1", members of an enum, Parameters) get #2, #3
// and so on.
func named(list []pickle.Pair) iter.Seq2[string, pickle.Value] {
	return func(yield func(string, pickle.Value) bool) {
		var names namer
		for _, p := range list {
			if _, plain := p.Key.(string); !plain {
				names = namer{}
				break
			}
		}
		for _, p := range list {
			name := keyText(p.Key)
			if names != nil {
				name = names.unique(name)
			}
			if !yield(name, p.Value) {
				return
			}
		}
	}
}

// namer keeps names apart that are the same.
type namer map[string]int

func (n namer) unique(name string) string {
	count := n[name]
	if count == 0 {
		n[name] = 1
		return name
	}
	for {
		count++
		if numbered := name + "#" + strconv.Itoa(count); n[numbered] == 0 {
			n[name], n[numbered] = count, 1
			return numbered
		}
	}
}

// members goes over all that v holds: the entries of a container by their number or key,
// and of an object the arguments of the call that makes it and its state besides, for
// that may be anything. bare is a state that has no name in the object, which goes by the
// object's own.
func members(v pickle.Value, yield func(name string, v pickle.Value) bool) (bare pickle.Value) {
	obj, isObject := whole(v).(*pickle.Object)
	if !isObject {
		list, _ := items(v)
		if numbered(list, yield) {
			entries, _ := pairs(v)
			inOrder(named(entries), yield)
		}
		return nil
	}
	list, entries, args := contents(obj)
	if !numbered(list, yield) || !inOrder(named(entries), yield) || !numbered(args, yield) {
		return nil
	}
	if call, ok := obj.Callable.(*pickle.Object); ok && !partial(call, yield) {
		return nil
	}
	if kwargs, ok := pairs(obj.Kwargs); ok && !inOrder(named(kwargs), yield) {
		return nil
	}
	return stateMembers(obj, yield)
}

// contents is what an object holds by number, what it holds by key, and those arguments of
// its call that are neither.
func contents(obj *pickle.Object) (list []pickle.Value, entries []pickle.Pair, args []pickle.Value) {
	list = obj.Items
	entries, _ = pairs(obj)
	args, _ = items(obj.Args)
	name, _ := asGlobal(obj.Callable)
	var base pickle.Value // of a subclass of list or dict
	switch {
	case isOrderedDict(obj):
		return list, entries, nil
	case isSequence(name) && len(args) == 1:
		base, args = args[0], nil
	case name == global{"copyreg", "_reconstructor"} && len(args) == 3: // (class, base, value)
		base, args = args[2], nil
	case name == global{"copyreg", "__newobj__"} && len(args) > 0: // (class, ...)
		args = args[1:]
	}
	if more, ok := items(base); ok {
		list = append(slices.Clip(more), list...)
	} else if more, ok := base.(*pickle.Dict); ok {
		entries = append(slices.Clip(more.List()), entries...)
	}
	return list, entries, args
}

// partial goes over what the callable of an object holds by itself. A class that is made
// with keyword arguments has them in a functools.partial, whose state is (function,
// arguments, keyword arguments, __dict__) (CPython Lib/pickle.py, save_reduce).
func partial(call *pickle.Object, yield func(string, pickle.Value) bool) bool {
	state, _ := items(call.State)
	if name, _ := asGlobal(call.Callable); name != (global{"functools", "partial"}) || len(state) != 4 {
		return yield("callable", call)
	}
	args, _ := items(state[1])
	kwargs, _ := pairs(state[2])
	return numbered(args, yield) && inOrder(named(kwargs), yield)
}

// stateMembers goes over the state of an object, which is whatever its class returns from
// __getstate__ or __reduce__.
func stateMembers(obj *pickle.Object, yield func(string, pickle.Value) bool) (bare pickle.Value) {
	switch state := obj.State.(type) {
	case nil:
		return nil
	case *pickle.Dict, *pickle.Tuple, *pickle.List, *pickle.Set:
		if list := attributes(state); list != nil {
			inOrder(func(yield func(string, pickle.Value) bool) {
				for name, v := range named(list) {
					// The versions of a state dict's modules: no tensors, and many entries.
					if name == "_metadata" && isOrderedDict(obj) {
						continue
					}
					if !yield(name, v) {
						return
					}
				}
			}, yield)
			return nil
		}
		list, _ := items(state)
		numbered(list, yield)
		return nil
	default:
		return state
	}
}

// holdsByPlace reports whether an object has tensors among the arguments of the call that
// makes it, or in a state without names: their keys are numbers, and say nothing of what the
// class calls them.
func (c *collector) holdsByPlace(obj *pickle.Object) bool {
	const nearby = 7 // holdsTensor goes as far as 8: lists of tensors, and no further
	_, _, args := contents(obj)
	state, _ := items(obj.State)
	if attributes(obj.State) != nil {
		state = nil
	}
	holds := func(v pickle.Value) bool { return c.holdsTensor(v, nearby) }
	return slices.ContainsFunc(args, holds) || slices.ContainsFunc(state, holds)
}

// className is the class of an object for people.
func className(obj *pickle.Object) string {
	name, ok := asGlobal(obj.Callable)
	args, _ := items(obj.Args)
	if name.module == "copyreg" && len(args) > 0 {
		if of, isGlobal := asGlobal(args[0]); isGlobal {
			name = of
		}
	}
	if !ok {
		return "?"
	}
	return name.module + "." + name.name
}

func numbered(list []pickle.Value, yield func(string, pickle.Value) bool) bool {
	for i, v := range list {
		if !yield(strconv.Itoa(i), v) {
			return false
		}
	}
	return true
}

func inOrder(seq iter.Seq2[string, pickle.Value], yield func(string, pickle.Value) bool) bool {
	for name, v := range seq {
		if !yield(name, v) {
			return false
		}
	}
	return true
}
