package keras

import (
	"encoding/json"
	"strconv"
	"strings"
)

// finish chooses the view's root, hides what is no weight of the model, and makes
// meta/objects.json.
func (w *walker) finish() {
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
		if w.out.Root == "" {
			t.Hidden = training(t.Key)
		}
	}
	if w.out.Root != "" {
		w.out.Notes = append(w.out.Notes, "the view takes the weights at "+w.out.Root+" (--root . takes everything)")
	}
	objects := map[string]any{}
	for _, name := range []string{"model_config", "training_config"} {
		if text, ok := root[name].(string); ok {
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
	for _, f := range judge(w.configs) {
		w.out.Notes = append(w.out.Notes, f.text)
	}
}

// training says what a variable is that a model is trained with: Keras 3 keeps the
// optimizer, and tf_keras the metrics too, beside the layers (saving_lib.py,
// _save_state). An optimizer can hold another (LossScaleOptimizer, inner_optimizer).
func training(key string) string {
	parts := strings.Split(key, "/")
	if n := len(parts); n < 3 || parts[n-2] != "vars" {
		return ""
	} else if _, err := strconv.Atoi(parts[n-1]); err != nil {
		return ""
	}
	switch parts[0] {
	case "optimizer":
		return "optimizer state"
	case "metrics":
		return "state of a metric"
	}
	return ""
}
