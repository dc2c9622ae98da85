package keras

import (
	"encoding/json"
	"fmt"
	"slices"
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
	if weights == "" {
		w.hide()
		w.layers()
	}
	if w.opaque > 0 {
		w.out.Notes = append(w.out.Notes, fmt.Sprintf("datasets of opaque elements are void in .npy, and in the view bytes (U8) with one more dimension: %d, the first is %s", w.opaque, w.first))
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

// hide keeps what a model is trained with out of the view.
func (w *walker) hide() {
	t := newTrained(w.out.Tensors, w.attributes)
	for _, one := range w.out.Tensors {
		one.Hidden = t.why(one.Key)
	}
}
