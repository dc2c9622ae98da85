package audit

import (
	"maps"

	"wfs/formats/pickle"
)

// Some functions are what they are given: torch.storage._load_from_bytes unpickles bytes,
// which lie in the pickle and can be looked into, or not; functools.partial keeps a
// function for later. Their verdict comes from each of their calls. One that is put
// anywhere but where it is called at once, or is given what wfs does not find, is dangerous.

// watched reports whether a global is judged by its calls.
func watched(module, name string) bool {
	rule := ruleOf(fullName(module, name))
	return rule.judge != nil || rule.asClass
}

// judge is how one call of a function is judged. A call is settled if the function can do
// nothing with what it is given but what is said of it.
type judge func(j *judgement, o *pickle.Object) (settled bool, verdict Verdict, reason string)

// rule is how a global is judged by its calls.
type rule struct {
	judge judge
	// called reports whether it may stand nowhere but where it is called.
	called bool
	// asClass reports whether it is harmless where NumPy and joblib take it for the class of
	// an array: they make one of no elements, and give it the bytes of the pickle.
	asClass bool
}

func ruleOf(name string) rule {
	switch name {
	case "torch.storage._load_from_bytes":
		return rule{judge: loadsBytes, called: true}
	case "torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2",
		"torch.tensor._rebuild_from_type", "torch.tensor._rebuild_from_type_v2":
		return rule{judge: rebuildsFromType, called: true}
	case "builtins.getattr":
		return rule{judge: getsAttribute, called: true}
	case "builtins.type":
		return rule{judge: asksType}
	case "functools.partial":
		return rule{judge: keepsFunction}
	case "pickle.loads", "dill.loads", "cloudpickle.loads", "joblib.loads":
		return rule{judge: unpickles}
	case "numpy.memmap", "numpy.core.memmap.memmap", "numpy._core.memmap.memmap":
		return rule{asClass: true}
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
	classes  map[*pickle.Global]int // uses as the class of an array
}

// judgeCalls judges every call that the machine listed. classes is what joblib's wrappers
// have as the class of their arrays.
func (s *scanner) judgeCalls(res *pickle.Result, classes map[*pickle.Global]int, st *Stream) judgement {
	j := judgement{res: res, settled: map[string]int{}, verdicts: map[string]Verdict{}, reasons: map[string]string{}, classes: map[*pickle.Global]int{}}
	maps.Copy(j.classes, classes)
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
		if args := arguments(o); len(args) > 0 && (name == "numpy.core.multiarray._reconstruct" || name == "numpy._core.multiarray._reconstruct") {
			if class, ok := args[0].(*pickle.Global); ok {
				j.classes[class]++
			}
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
	switch {
	case rule.asClass && !g.Called && g.Uses == j.classes[g]:
		return Unknown, "on no list"
	case rule.judge == nil:
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
