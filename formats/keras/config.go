package keras

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wfs/formats/pickle"
)

// config is a configuration that Keras makes objects of when it loads the model.
type config struct {
	where string // config.json, model_config
	text  string
	fault string // why text is not what Keras would read
}

// maxConfig bounds a configuration: the largest models' have a few MB.
const maxConfig = 64 << 20

// finding is a line of the report.
type finding struct {
	text    string
	verdict pickle.Verdict
}

// report is what wfs scan says of configurations.
func report(name string, configs []config) *pickle.Report {
	r := &pickle.Report{File: name, Pickles: []pickle.Stream{}}
	for _, f := range judge(configs) {
		r.Container = append(r.Container, f.text)
		r.Verdict = max(r.Verdict, f.verdict)
	}
	return r
}

// maxFindings bounds the list.
const maxFindings = 100

// judge finds what runs code when a configuration is loaded. What cannot be read is
// unknown, not harmless: Python reads JSON that Go does not (NaN, UTF-16).
func judge(configs []config) []finding {
	var found []finding
	for _, c := range configs {
		var value any
		if c.fault == "" {
			if err := json.Unmarshal([]byte(c.text), &value); err != nil {
				c.fault = "it is no JSON that wfs can read"
			}
		}
		if c.fault != "" {
			found = append(found, finding{fmt.Sprintf("%s is not checked: %s", c.where, c.fault), pickle.Unknown})
			continue
		}
		found = append(found, c.judge(value)...)
	}
	return found
}

// judge looks at all objects of a configuration, whatever holds them.
func (c *config) judge(value any) []finding {
	var found []finding
	todo := []any{value}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch v := v.(type) {
		case []any:
			todo = append(todo, v...)
		case map[string]any:
			if f := c.object(v); f.text != "" {
				found = append(found, f)
			}
			for _, item := range v {
				todo = append(todo, item)
			}
		}
	}
	// The worst first, then as a reader expects: maps have no order.
	slices.SortFunc(found, func(a, b finding) int {
		if a.verdict != b.verdict {
			return int(b.verdict) - int(a.verdict)
		}
		return strings.Compare(a.text, b.text)
	})
	found = slices.Compact(found)
	return found[:min(len(found), maxFindings)]
}

// object judges one serialized object. Keras decodes the code in a Lambda layer and runs
// it, and imports the module that an object names (keras/src/saving/serialization_lib.py,
// deserialize_keras_object and _retrieve_class_or_fn).
func (c *config) object(v map[string]any) finding {
	class, ok := v["class_name"].(string)
	if !ok {
		return finding{}
	}
	name := ""
	if inner, ok := v["config"].(map[string]any); ok {
		name, _ = inner["name"].(string)
	}
	if class == "Lambda" || class == "__lambda__" {
		return finding{fmt.Sprintf("%s has a %s layer %q: it can hold code, which Keras would run", c.where, class, name), pickle.Dangerous}
	}
	module, _ := v["module"].(string)
	switch top, _, _ := strings.Cut(module, "."); top {
	case "", "keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv", "builtins":
		return finding{}
	}
	return finding{fmt.Sprintf("%s has an object %s.%s: Keras would import that module", c.where, module, class), pickle.Unknown}
}
