package audit

import (
	"strings"
	"wfs/formats/pickle"
)

// Verdict is what wfs says of a global: never more than what was seen in the file.
type Verdict int

// The verdicts, from good to bad.
const (
	Allowed   Verdict = iota // on torch's weights_only list, or on ours
	Unknown                  // on no list
	Dangerous                // known to run code, or to reach files or the network
)

// String is the word of the reports.
func (v Verdict) String() string { return [...]string{"allowed", "unknown", "dangerous"}[v] }

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Judge gives the verdict on module.name, and the reason where it is not allowed.
func Judge(module, name string) (Verdict, string) {
	canonical, name := pickle.CanonicalName(module, name)
	full := canonical + "." + name
	if allowed[full] || allowedPrefix(canonical, name) {
		return Allowed, ""
	}
	if reason, bad := dangerousName(canonical, name); bad {
		return Dangerous, reason
	}
	return Unknown, "on no list"
}

// fullName is module.name by its name in Python 3.
func fullName(module, name string) string {
	module, name = pickle.CanonicalName(module, name)
	return module + "." + name
}

// isOrdinary reports whether a name is on the list of values.
func isOrdinary(module, name string) bool {
	if strings.Contains(name, ".") {
		return false
	}
	return ordinary[module+"."+name] || ordinaryModules[module] || isCompiled(module, name)
}

// isCompiled reports whether a name is a class of the wrappers that torch.compile puts around
// a model: there are others in each version. Those of guards and of repro scripts run code.
func isCompiled(module, name string) bool {
	if !strings.HasPrefix(module, "torch._dynamo.") || module == "torch._dynamo.guards" || module == "torch._dynamo.debug_utils" {
		return false
	}
	class := strings.TrimLeft(name, "_")
	return class != "" && class[0] >= 'A' && class[0] <= 'Z'
}

// dangerousName looks at the module, at each of its parents, and at every part of
// a dotted name: "torch.serialization" "os.system" reaches os.
func dangerousName(module, name string) (string, bool) {
	if class, method, ok := strings.Cut(name, "."); ok && isPath(module, class) && !purePath[method] {
		return touchesFiles, true
	}
	full := module + "." + name
	for end := len(full); end > 0; end = strings.LastIndexByte(full[:end], '.') {
		if reason, bad := dangerousNames[full[:end]]; bad {
			return reason, true
		}
	}
	if reason, ok := dangerousAttribute(name); ok {
		return reason, true
	}
	parts := strings.Split(module, ".")
	for _, part := range parts[1:] {
		if dangerousAttributes[part] {
			return "reaches into the interpreter by " + part, true
		}
	}
	nested := strings.Split(name, ".")
	if len(nested) > 1 {
		for _, part := range nested {
			if reason, ok := dangerousModules[pickle.Canonical(part)]; ok {
				return "reaches " + part + " through its name: " + reason, true
			}
		}
	}
	if isOrdinary(module, name) {
		return "", false
	}
	for i := range parts {
		if reason, ok := dangerousModules[strings.Join(parts[:i+1], ".")]; ok {
			return reason, true
		}
	}
	return "", false
}

// dangerousAttribute looks at the parts of a dotted name.
func dangerousAttribute(name string) (string, bool) {
	for _, part := range strings.Split(name, ".") {
		if dangerousAttributes[part] {
			return "reaches into the interpreter by " + part, true
		}
	}
	return "", false
}

// dangerousAttributes lead from any object to everything.
var dangerousAttributes = map[string]bool{
	"__globals__": true, "__builtins__": true, "__subclasses__": true, "__import__": true, "__code__": true,
	"__getattribute__": true, "__reduce__": true, "__reduce_ex__": true, "__mro__": true, "__bases__": true,
	"__loader__": true, "__spec__": true, "__dict__": true, "gi_frame": true, "f_globals": true, "f_builtins": true,
}

// isPath reports whether a class is one of pathlib's that reach the file system.
func isPath(module, class string) bool {
	switch module {
	case "pathlib", "pathlib._local", "pathlib._abc":
		return class == "Path" || class == "PosixPath" || class == "WindowsPath"
	}
	return false
}

// purePath is what such a class has that computes on names alone.
var purePath = setOf(`parts drive root anchor parents parent name suffix suffixes stem as_posix as_uri is_absolute is_relative_to
	joinpath match relative_to with_name with_stem with_suffix with_segments from_uri`)
