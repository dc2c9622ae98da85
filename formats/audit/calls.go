package audit

import (
	"wfs/formats/pickle"
)

// Some functions are what they are given: torch.storage._load_from_bytes unpickles bytes,
// which lie in the pickle and can be looked into, or not; functools.partial keeps a
// function for later. Their verdict comes from each of their calls. One that is put
// anywhere but where it is called at once, or is given what wfs does not find, is dangerous.

// watched reports whether a global is judged by its calls.
func watched(module, name string) bool {
	return ruleOf(fullName(module, name)).judge != nil
}

// judge is how one call of a function is judged. A call is settled if the function can do
// nothing with what it is given but what is said of it.
type judge func(j *judgement, o *pickle.Object) (settled bool, verdict Verdict, reason string)

// rule is how a global is judged by its calls.
type rule struct {
	judge judge
	// called reports whether it may stand nowhere but where it is called.
	called bool
}

func ruleOf(name string) rule {
	switch name {
	case "torch.storage._load_from_bytes":
		return rule{loadsBytes, true}
	case "torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2",
		"torch.tensor._rebuild_from_type", "torch.tensor._rebuild_from_type_v2":
		return rule{rebuildsFromType, true}
	case "builtins.getattr":
		return rule{getsAttribute, true}
	case "builtins.type":
		return rule{asksType, false}
	case "functools.partial":
		return rule{keepsFunction, false}
	case "pickle.loads", "dill.loads", "cloudpickle.loads", "joblib.loads":
		return rule{unpickles, false}
	}
	return rule{}
}

// judgement is what the calls of a pickle say.
type judgement struct {
	res      *pickle.Result
	payloads []pickle.Payload
	settled  map[string]int     // calls, by the name of the function
	verdicts map[string]Verdict // the worst of its calls
	reasons  map[string]string
}

// judgeCalls judges every call that the machine listed.
func (s *scanner) judgeCalls(res *pickle.Result, st *Stream) judgement {
	j := judgement{res: res, settled: map[string]int{}, verdicts: map[string]Verdict{}, reasons: map[string]string{}}
	for _, o := range res.Calls {
		g, ok := o.Callable.(*pickle.Global)
		if !ok {
			if verdict, what := calledResult(o.Callable); verdict > Allowed {
				if len(st.Anomalies) < maxListedCodes {
					st.note("the call at byte %d %s", o.Offset, what)
				}
				st.Verdict = max(st.Verdict, verdict)
			}
			continue
		}
		name := fullName(g.Module, g.Name)
		if judge := ruleOf(name).judge; judge != nil {
			settled, verdict, reason := judge(&j, o)
			j.count(name, settled, verdict, reason)
		}
	}
	return j
}

func (j *judgement) count(name string, settled bool, verdict Verdict, reason string) {
	if settled {
		j.settled[name]++
	}
	if verdict >= j.verdicts[name] {
		j.verdicts[name], j.reasons[name] = verdict, reason
	}
}

// of is the verdict on a global of the pickle.
func (j *judgement) of(g *pickle.Global) (Verdict, string) {
	verdict, reason := Judge(g.Module, g.Name)
	name := fullName(g.Module, g.Name)
	rule := ruleOf(name)
	if rule.judge == nil {
		return verdict, reason
	}
	if by := j.verdicts[name]; by > verdict {
		verdict, reason = by, j.reasons[name]
	}
	if rule.called && g.Uses != j.settled[name] {
		return Dangerous, indirection + ", and is not given it here"
	}
	return verdict, reason
}

// calledResult judges a call of what another call returned.
func calledResult(callable pickle.Value) (Verdict, string) {
	const hides = "is of what another call returned: it hides what is called"
	o, ok := callable.(*pickle.Object)
	if !ok { // a persistent id, an extension: nobody knows
		switch callable.(type) {
		case *pickle.PersID, pickle.Extension:
			return Unknown, "is of what the pickle does not hold"
		}
		return Allowed, "" // Python fails
	}
	g, ok := o.Callable.(*pickle.Global)
	if !ok {
		return Dangerous, hides
	}
	switch fullName(g.Module, g.Name) {
	case "builtins.getattr":
		if path, name, of := attributePath(o); of != nil {
			if verdict, reason := Judge(path, name); verdict == Dangerous {
				return Dangerous, reason
			}
			if _, ofClass := of.(*pickle.Global); !ofClass {
				return Dangerous, "is of a method that it fetched: it hides what is called"
			}
			return Unknown, "is of an attribute of " + path + ": " + name
		}
	case "functools.partial":
		// What is kept was named and judged; calling it now is no more than calling it.
		what := Unknown
		for _, kept := range keptBy(o) {
			f, isObject := kept.(*pickle.Object)
			if !isObject {
				continue
			}
			if verdict, _ := calledResult(f); verdict == Dangerous {
				what = Dangerous
			}
		}
		return what, "is of a partial"
	}
	return Dangerous, hides
}

func arguments(o *pickle.Object) []pickle.Value {
	if args, ok := o.Args.(*pickle.Tuple); ok {
		return args.Items
	}
	return nil
}

// loadsBytes judges a call of a function that unpickles its argument.
func loadsBytes(j *judgement, o *pickle.Object) (bool, Verdict, string) {
	if args := arguments(o); len(args) > 0 {
		if p, ok := j.bytes(args[0], 0); ok {
			p.Certain = true
			j.payloads = append(j.payloads, p)
			return true, Allowed, ""
		}
	}
	return false, Dangerous, "unpickles bytes that are not in the file as they are: wfs cannot look into them"
}

// unpickles adds what a dangerous function is given to what is looked into.
func unpickles(j *judgement, o *pickle.Object) (bool, Verdict, string) {
	loadsBytes(j, o)
	return true, Allowed, ""
}

// bytes finds the bytes that a value stands for: literals, and the calls that protocols
// before 3 and 5 make of them.
func (j *judgement) bytes(v pickle.Value, depth int) (pickle.Payload, bool) {
	const deepest = 4
	switch v := v.(type) {
	case pickle.Bytes:
		if v.Array && j.res.BytesChanged {
			return pickle.Payload{}, false
		}
		p := pickle.Payload{Off: v.Off, Len: v.Len}
		if v.Off == 0 { // of a STRING, decoded
			p.Data = v.Data
		}
		return p, true
	case *pickle.Object:
		g, ok := v.Callable.(*pickle.Global)
		args := arguments(v)
		if !ok || v.State != nil || len(v.Items) > 0 || len(v.List()) > 0 || depth == deepest {
			return pickle.Payload{}, false
		}
		switch fullName(g.Module, g.Name) {
		case "_codecs.encode", "codecs.encode":
			if len(args) == 2 && isLatin1(args[1]) {
				return latin1Payload(args[0])
			}
		case "builtins.bytes", "builtins.bytearray":
			switch {
			case len(args) == 0:
				return pickle.Payload{Data: []byte{}}, true
			case len(args) == 2 && isLatin1(args[1]):
				return latin1Payload(args[0])
			case len(args) == 1:
				if data, ok := byteValues(args[0]); ok {
					return pickle.Payload{Data: data}, true
				}
				return j.bytes(args[0], depth+1)
			}
		}
	}
	return pickle.Payload{}, false
}

func isLatin1(v pickle.Value) bool {
	switch name, _ := textOf(v); name {
	case "latin1", "latin-1", "iso-8859-1", "iso8859-1", "L1":
		return true
	}
	return false
}

func latin1Payload(v pickle.Value) (pickle.Payload, bool) {
	switch v := v.(type) {
	case string:
		return pickle.Payload{Data: []byte(v), Encoding: pickle.AsLatin1}, true
	case pickle.Text:
		return pickle.Payload{Off: v.Off, Len: v.Len, Encoding: pickle.AsLatin1}, true
	case pickle.Line:
		return pickle.Payload{Off: v.Off, Len: v.Len, Encoding: pickle.AsUnicodeLine}, true
	}
	return pickle.Payload{}, false
}

// byteValues reads a list or tuple of numbers as the bytes that they are.
func byteValues(v pickle.Value) ([]byte, bool) {
	var items []pickle.Value
	switch v := v.(type) {
	case *pickle.List:
		items = v.Items
	case *pickle.Tuple:
		items = v.Items
	default:
		return nil, false
	}
	data := make([]byte, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || n > 255 {
			return nil, false
		}
		data[i] = byte(n)
	}
	return data, true
}

// rebuildsFromType judges func(*args) as if the pickle called it: those are the first and
// the third argument (torch/_tensor.py, _rebuild_from_type_v2).
func rebuildsFromType(j *judgement, o *pickle.Object) (bool, Verdict, string) {
	args := arguments(o)
	if len(args) < 3 {
		return false, Dangerous, indirection
	}
	g, ok := args[0].(*pickle.Global)
	if !ok {
		return false, Dangerous, indirection + ", here the result of another call"
	}
	name := fullName(g.Module, g.Name)
	if rule := ruleOf(name); rule.judge != nil {
		settled, verdict, reason := rule.judge(j, &pickle.Object{Callable: g, Args: args[2], How: o.How, Offset: o.Offset})
		j.count(name, settled, verdict, reason)
	}
	g.Called = true
	return true, Allowed, ""
}

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
