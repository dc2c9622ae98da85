package keras

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// config is a configuration that Keras makes objects of when it loads the model.
type config struct {
	where string // config.json, model_config
	text  string
	fault string // why text is not what Keras would read
}

// maxConfig bounds a configuration: the largest models' have a few MB.
const maxConfig = 64 << 20

// Finding is one thing in a configuration that matters to whoever loads it.
type Finding struct {
	Text string
	// RunsCode reports whether Keras would run code that the file brings; otherwise it is
	// not known what would happen.
	RunsCode bool
	// Payload is what Keras would hand to torch.load.
	Payload []byte
}

// maxFindings bounds the list.
const maxFindings = 100

// judge finds what runs code when a configuration is loaded. What cannot be read is
// unknown, not harmless: Python reads JSON that Go does not (NaN, UTF-16).
func judge(configs []config) []Finding {
	var found []Finding
	for _, c := range configs {
		var value any
		if c.fault == "" {
			if err := json.Unmarshal([]byte(c.text), &value); err != nil {
				c.fault = "it is not JSON that wfs can read"
			}
		}
		if c.fault != "" {
			found = append(found, Finding{fmt.Sprintf("%s is not checked: %s", c.where, c.fault), false, nil})
			continue
		}
		found = append(found, c.judge(value)...)
	}
	return found
}

// judge looks at all objects of a configuration, whatever holds them.
func (c *config) judge(value any) []Finding {
	var found []Finding
	todo := []any{value}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch v := v.(type) {
		case []any:
			todo = append(todo, v...)
		case map[string]any:
			if f := c.object(v); f.Text != "" {
				found = append(found, f)
			}
			for _, item := range v {
				todo = append(todo, item)
			}
		}
	}
	// The worst first, then as a reader expects: maps have no order.
	slices.SortFunc(found, func(a, b Finding) int {
		if a.RunsCode != b.RunsCode {
			if a.RunsCode {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Text, b.Text)
	})
	found = slices.CompactFunc(found, func(a, b Finding) bool { return a.Text == b.Text && string(a.Payload) == string(b.Payload) })
	return found[:min(len(found), maxFindings)]
}

// object judges one serialized object. Keras decodes the code in a Lambda layer and runs
// it, and imports the module that an object names (keras/src/saving/serialization_lib.py,
// deserialize_keras_object and _retrieve_class_or_fn).
func (c *config) object(v map[string]any) Finding {
	class, ok := v["class_name"].(string)
	if !ok {
		return Finding{}
	}
	name := ""
	if inner, ok := v["config"].(map[string]any); ok {
		name, _ = inner["name"].(string)
	}
	if class == "Lambda" || class == "__lambda__" {
		return Finding{fmt.Sprintf("%s has a %s layer %q: it can hold code, which Keras would run", c.where, class, name), true, nil}
	}
	if _, short, dotted := strings.Cut(class, ">"); class == "TorchModuleWrapper" || dotted && short == "TorchModuleWrapper" {
		return c.torchModule(v, name)
	}
	module, _ := v["module"].(string)
	switch top, _, _ := strings.Cut(module, "."); top {
	case "", "keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv", "builtins":
		return Finding{}
	}
	return Finding{fmt.Sprintf("%s has an object %s.%s: Keras would import that module", c.where, module, class), false, nil}
}

// torchModule judges a layer whose configuration holds a torch file in base64: Keras hands it
// to torch.load with weights_only=False (keras/src/utils/torch_utils.py, from_config).
func (c *config) torchModule(v map[string]any, name string) Finding {
	f := Finding{Text: fmt.Sprintf("%s has a TorchModuleWrapper %q: Keras would unpickle what it holds, with safe_mode off", c.where, name)}
	inner, _ := v["config"].(map[string]any)
	if text, ok := inner["module"].(string); ok {
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			f.Payload = decoded
		}
	}
	return f
}
