package keras

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wfs/formats/pickle"
)

// finish chooses the view's root, hides what is no weight of the model, and makes
// meta/objects.json.
func (w *walker) finish(configs map[string]string) {
	root := w.attributes[""]
	if _, whole := root["model_config"]; whole {
		for _, t := range w.out.Tensors {
			if strings.HasPrefix(t.Key, "model_weights/") {
				w.out.Root = "model_weights"
			}
		}
	}
	w.order(w.out.Root)
	for _, t := range w.out.Tensors {
		// Keras 3 keeps the optimizer beside the layers (saving_lib.py, _save_state).
		if w.out.Root == "" && strings.HasPrefix(t.Key, "optimizer/vars/") {
			t.Hidden = "optimizer state"
		}
	}
	if w.out.Root != "" {
		w.out.Notes = append(w.out.Notes, "the view takes the weights at "+w.out.Root+" (--root . takes everything)")
	}
	objects := map[string]any{}
	for _, name := range []string{"model_config", "training_config"} {
		if text, ok := root[name].(string); ok {
			configs[name] = text
			if json.Valid([]byte(text)) {
				objects[name] = json.RawMessage(text)
			} else {
				objects[name] = text
			}
		}
	}
	for _, name := range []string{"keras_version", "backend"} {
		if v, ok := root[name]; ok {
			objects[name] = v
		}
	}
	if len(w.attributes) > 0 {
		all := map[string]any{}
		for path, attrs := range w.attributes {
			all["/"+path] = attrs
		}
		objects["attributes"] = all
	}
	if len(objects) > 0 {
		w.out.Objects = objects
	}
	w.out.Notes = append(w.out.Notes, lambdas(configs)...)
}

// report is what wfs scan says of configurations: Keras decodes and runs the code of
// a Lambda layer when it loads the model (keras/src/saving/serialization_lib.py).
func report(name string, configs map[string]string) *pickle.Report {
	r := &pickle.Report{File: name, Pickles: []pickle.Stream{}}
	for _, found := range lambdas(configs) {
		r.Container = append(r.Container, found)
		r.Verdict = pickle.Dangerous
	}
	return r
}

// maxLambdas bounds the list.
const maxLambdas = 100

// lambdas finds layers that hold code in the configurations, by name.
func lambdas(configs map[string]string) []string {
	var found []string
	for _, where := range slices.Sorted(maps.Keys(configs)) {
		var config any
		if json.Unmarshal([]byte(configs[where]), &config) != nil {
			continue
		}
		todo := []any{config}
		for len(todo) > 0 && len(found) < maxLambdas {
			v := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			switch v := v.(type) {
			case []any:
				todo = append(todo, v...)
			case map[string]any:
				if class := v["class_name"]; class == "Lambda" || class == "__lambda__" {
					layer := ""
					if c, ok := v["config"].(map[string]any); ok {
						layer, _ = c["name"].(string)
					}
					found = append(found, fmt.Sprintf("%s has a %v layer %q: it can hold code, which Keras would run", where, class, layer))
				}
				for _, item := range v {
					todo = append(todo, item)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}
