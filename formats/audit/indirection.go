package audit

import "wfs/formats/pickle"

// getsAttribute judges getattr(object, "name"): methods, enums and nested classes are
// pickled so. What it is of decides.
func getsAttribute(_ *judgement, o *pickle.Object) (bool, Verdict, string) {
	args := arguments(o)
	if len(args) < 2 {
		return false, Dangerous, indirection
	}
	name, ok := textOf(args[1])
	if !ok {
		return false, Dangerous, "fetches an attribute by a name that is computed"
	}
	if reason, bad := dangerousAttribute(name); bad {
		return true, Dangerous, reason
	}
	if path, name, of := attributePath(o); of != nil {
		if verdict, reason := Judge(path, name); verdict == Dangerous {
			return true, Dangerous, "fetches " + path + "." + name + ", which " + reason
		}
	}
	return true, Unknown, "fetches an attribute"
}

// attributePath is the module and the dotted name that a getattr reaches: those of a
// global and the attribute, or of the class of an object and the attribute. of is the global
// or the object, nil if there is none.
func attributePath(o *pickle.Object) (module, name string, of pickle.Value) {
	const deepest = 16
	var names string
	for range deepest {
		g, ok := o.Callable.(*pickle.Global)
		if !ok {
			return "", "", nil
		}
		if fullName(g.Module, g.Name) != "builtins.getattr" {
			return g.Module, g.Name + names, o
		}
		args := arguments(o)
		if len(args) < 2 {
			return "", "", nil
		}
		attr, ok := textOf(args[1])
		if !ok {
			return "", "", nil
		}
		names = "." + attr + names
		switch of := args[0].(type) {
		case *pickle.Global:
			return of.Module, of.Name + names, of
		case *pickle.Object:
			o = of
		default:
			return "", "", nil
		}
	}
	return "", "", nil
}

// textOf reads a str, of Python 2 or 3.
func textOf(v pickle.Value) (string, bool) {
	if b, ok := v.(pickle.Bytes); ok && b.Old && b.Data != nil {
		return string(b.Data), true
	}
	s, ok := v.(string)
	return s, ok
}

// asksType judges type(x), which is a question, and type(name, bases, members), which makes
// a class.
func asksType(_ *judgement, o *pickle.Object) (bool, Verdict, string) {
	if len(arguments(o)) == 1 && o.How == pickle.Reduce {
		return true, Unknown, "on no list"
	}
	return true, Dangerous, "makes a class, with members that it is given"
}

// keepsFunction judges functools.partial(function, ...): the function was named, and has
// its own verdict; what another call returned has none.
func keepsFunction(_ *judgement, o *pickle.Object) (bool, Verdict, string) {
	for _, kept := range keptBy(o) {
		if f, ok := kept.(*pickle.Object); ok {
			if verdict, _ := calledResult(f); verdict == Dangerous {
				return true, Dangerous, "keeps what another call returned, to call it: " + indirection
			}
		}
	}
	return true, Unknown, "on no list"
}

// keptBy is the functions that a partial has: by its arguments, and by its state.
func keptBy(o *pickle.Object) []pickle.Value {
	var kept []pickle.Value
	if args := arguments(o); len(args) > 0 {
		kept = append(kept, args[0])
	}
	if state, ok := o.State.(*pickle.Tuple); ok && len(state.Items) > 0 {
		kept = append(kept, state.Items[0])
	}
	return kept
}
