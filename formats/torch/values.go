package torch

import (
	"math/big"
	"strconv"

	"wfs/formats/pickle"
)

// global is a pickled global under its present name.
type global struct{ module, name string }

// renamed are modules that torch moved (torch/serialization.py, load_module_mapping).
var renamed = map[string]string{
	"torch.tensor":          "torch._tensor",
	"numpy.core.multiarray": "numpy._core.multiarray",
	"numpy.core.numeric":    "numpy._core.numeric",
}

// asGlobal reads v as a global; the source of a module's class counts as the class.
func asGlobal(v pickle.Value) (global, bool) {
	switch v := v.(type) {
	case *pickle.Global:
		module := pickle.Canonical(v.Module)
		if now, ok := renamed[module]; ok {
			module = now
		}
		return global{module, v.Name}, true
	case *pickle.PersID: // ('module', class, file, source) of legacy whole models
		if f, ok := items(v.ID); ok && len(f) >= 2 {
			if kind, _ := text(f[0]); kind == "module" {
				return asGlobal(f[1])
			}
		}
	}
	return global{}, false
}

// items reads v as a list, a tuple, a set or torch.Size.
func items(v pickle.Value) ([]pickle.Value, bool) {
	switch v := whole(v).(type) {
	case *pickle.List:
		return v.Items, true
	case *pickle.Tuple:
		return v.Items, true
	case *pickle.Set:
		return v.Items, true
	case *pickle.Object:
		name, ok := asGlobal(v.Callable)
		if !ok {
			return nil, false
		}
		if isSequence(name) {
			if args, ok := items(v.Args); ok && len(args) == 1 {
				return items(args[0])
			}
			return v.Items, true
		}
		if len(v.Items) > 0 && len(v.Pairs.List()) == 0 {
			return v.Items, true // a subclass of list
		}
	}
	return nil, false
}

// pairs reads v as a dict: a dict, or an object that was filled like one
// (OrderedDict, defaultdict, Counter and their subclasses).
func pairs(v pickle.Value) ([]pickle.Pair, bool) {
	switch v := whole(v).(type) {
	case *pickle.Dict:
		return v.List(), true
	case *pickle.Object:
		if list := v.Pairs.List(); len(list) > 0 {
			return list, true
		}
		if !isOrderedDict(v) {
			return nil, false
		}
		// Python 2 gives the entries as an argument: OrderedDict([[k, v], …]).
		var list []pickle.Pair
		args, _ := items(v.Args)
		for _, arg := range args {
			if d, ok := arg.(*pickle.Dict); ok {
				list = append(list, d.List()...)
				continue
			}
			entries, _ := items(arg)
			for _, entry := range entries {
				if kv, _ := items(entry); len(kv) == 2 {
					list = append(list, pickle.Pair{Key: kv[0], Value: kv[1]})
				}
			}
		}
		return list, true
	}
	return nil, false
}

// isSequence reports whether a call of name makes a list, a tuple or a set of its argument.
func isSequence(name global) bool {
	switch name {
	case global{"torch", "Size"}, global{"builtins", "set"}, global{"builtins", "frozenset"},
		global{"builtins", "list"}, global{"builtins", "tuple"}:
		return true
	}
	return false
}

func isOrderedDict(o *pickle.Object) bool {
	name, _ := asGlobal(o.Callable)
	switch name {
	case global{"collections", "OrderedDict"}, global{"collections", "defaultdict"}, global{"collections", "Counter"}, global{"builtins", "dict"}:
		return true
	}
	return false
}

// attributes reads the state that BUILD sets where it is a __dict__, or a pair of a
// __dict__ and slots, one of which may be None (CPython Lib/copyreg.py,
// object.__reduce_ex__); nil where it is anything else.
func attributes(state pickle.Value) []pickle.Pair {
	switch s := state.(type) {
	case *pickle.Dict:
		return s.List()
	case *pickle.Object:
		list, _ := pairs(s)
		return list
	case *pickle.Tuple:
		if len(s.Items) != 2 {
			return nil
		}
		var list []pickle.Pair
		for _, part := range s.Items {
			switch part := part.(type) {
			case pickle.None:
			case *pickle.Dict:
				list = append(list, part.List()...)
			default:
				return nil
			}
		}
		return list
	}
	return nil
}

// container reports whether v can hold other values.
func container(v pickle.Value) bool {
	switch v.(type) {
	case *pickle.List, *pickle.Tuple, *pickle.Dict, *pickle.Set, *pickle.Object, *rebuilt:
		return true
	}
	return false
}

// text reads v as a str, of Python 2 or 3.
func text(v pickle.Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case pickle.Bytes:
		if v.Data != nil || v.Len == 0 {
			return string(v.Data), true
		}
	}
	return "", false
}

func integer(v pickle.Value) (int64, bool) {
	n, ok := v.(int64)
	return n, ok
}

func integers(v pickle.Value) ([]int64, bool) {
	list, ok := items(v)
	if !ok {
		return nil, false
	}
	out := make([]int64, len(list))
	for i, item := range list {
		if out[i], ok = integer(item); !ok {
			return nil, false
		}
	}
	return out, true
}

// keyText is how a dict's key appears in a path.
func keyText(v pickle.Value) string {
	if s, ok := text(v); ok {
		return s
	}
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case *big.Int:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		if v {
			return "True"
		}
		return "False"
	case pickle.None:
		return "None"
	case *pickle.Tuple:
		s := "("
		for i, item := range v.Items {
			if i > 0 {
				s += ", "
			}
			if i == 8 {
				return s + "…)"
			}
			if _, nested := item.(*pickle.Tuple); nested {
				s += "(…)"
			} else {
				s += keyText(item)
			}
		}
		return s + ")"
	case *pickle.Global:
		return v.Module + "." + v.Name
	case *rebuilt:
		return keyText(v.maker.global())
	case *pickle.Object:
		name, _ := asGlobal(v.Callable)
		if args, _ := items(v.Args); name == (global{"_codecs", "encode"}) && len(args) > 0 { // bytes of protocol 2
			return keyText(args[0])
		}
		return name.module + "." + name.name
	}
	return "?"
}
