package keras

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// layer is what the configuration says of a group: its place among those beside it, and
// the name of its layer.
type layer struct {
	place int
	name  string
}

// layersOf is what config.json says of each group, by its path. Keras 3 calls the group of a layer after its class and counts those
// of one class (saving_lib.py, _save_container_state); what the names do not tell is how
// layers of different classes follow each other, and config.json does.
func (w *walker) layersOf() map[string]layer {
	found := map[string]layer{}
	for _, c := range w.configs {
		var model any
		if c.where != "config.json" || c.fault != "" || json.Unmarshal([]byte(c.text), &model) != nil {
			continue
		}
		findLayers(model, "", 0, found)
	}
	return found
}

// layers names the layer of each variable: as Keras wrote it beside the variables
// (saving_lib.py, _save_state), or as config.json has it for the group that they are in.
func (w *walker) layers() {
	configured := w.layersOf()
	for _, t := range w.out.Tensors {
		group, _, ok := cutLast(t.Key)
		if !ok || t.Hidden != "" || group != "vars" && !strings.HasSuffix(group, "/vars") {
			continue
		}
		t.Layer, _ = w.attributes[group]["name"].(string)
		for ok && t.Layer == "" {
			t.Layer = configured[group].name
			group, _, ok = cutLast(group)
		}
	}
}

// maxModels is how deep models lie in models.
const maxModels = 32

func findLayers(model any, prefix string, depth int, found map[string]layer) {
	object, _ := model.(map[string]any)
	inner, _ := object["config"].(map[string]any)
	layers, _ := inner["layers"].([]any)
	if depth >= maxModels {
		return
	}
	used := map[string]int{}
	for i, one := range layers {
		object, _ := one.(map[string]any)
		class, _ := object["class_name"].(string)
		name := snakeCase(class)
		if n, again := used[name]; again {
			used[name] = n + 1
			name = fmt.Sprintf("%s_%d", name, n+1)
		} else {
			used[name] = 0
		}
		path := prefix + "layers/" + name
		if len(path) > maxPath {
			return
		}
		inner, _ := object["config"].(map[string]any)
		given, _ := inner["name"].(string)
		found[path] = layer{i, given}
		if class == "Bidirectional" { // its weights are those of both in this order
			found[path+"/forward_layer"], found[path+"/backward_layer"] = layer{0, ""}, layer{1, ""}
		}
		findLayers(one, path+"/", depth+1, found)
	}
}

// maxPath bounds the names that a configuration makes.
const maxPath = 4096

var (
	notWord   = regexp.MustCompile(`[^\pL\pN_]+`)
	wordStart = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	caseTurn  = regexp.MustCompile(`([a-z])([A-Z])`)
)

// snakeCase is keras/src/utils/naming.py, to_snake_case.
func snakeCase(class string) string {
	class = notWord.ReplaceAllString(class, "")
	class = wordStart.ReplaceAllString(class, "${1}_${2}")
	return strings.ToLower(caseTurn.ReplaceAllString(class, "${1}_${2}"))
}
