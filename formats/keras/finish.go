package keras

import (
	"encoding/json"
	"fmt"
	"strings"

	"wfs/formats/checkpoint"
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
	if w.out.Root == "" {
		w.hide()
	}
	if w.out.Root != "" {
		w.out.Notes = append(w.out.Notes, "the view takes the weights at "+w.out.Root+" (--root . takes everything)")
	}
	if w.opaque > 0 {
		w.out.Notes = append(w.out.Notes, fmt.Sprintf("datasets of opaque elements are shown as bytes (U8) with one more dimension: %d, the first is %s", w.opaque, w.first))
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

// hide keeps what a model is trained with out of the view.
func (w *walker) hide() {
	t := &trained{map[string]*checkpoint.Tensor{}, w.attributes, map[string]string{}}
	for _, one := range w.out.Tensors {
		t.tensors[one.Key] = one
	}
	for _, one := range w.out.Tensors {
		one.Hidden = t.why(one.Key)
	}
}
