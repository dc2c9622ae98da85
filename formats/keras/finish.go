package keras

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"wfs/formats/checkpoint"
)

// finish finds the weights of a whole model, hides what is not a weight of it, and makes
// meta/objects.json.
func (w *walker) finish() {
	root := w.attributes[""]
	weights := ""
	if _, whole := root["model_config"]; whole && slices.ContainsFunc(w.out.Tensors, func(t *checkpoint.Tensor) bool {
		return strings.HasPrefix(t.Key, "model_weights/")
	}) {
		weights = "model_weights"
		w.out.Candidates = []checkpoint.Candidate{{Key: weights, What: "weights"}}
	}
	w.order(weights)
	for _, t := range w.out.Tensors {
		if weights == "" {
			t.Hidden = training(t.Key)
		}
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
		w.out.Notes = append(w.out.Notes, f.Text)
	}
}

// training tells what a variable is that a model is trained with: Keras 3 keeps the
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
