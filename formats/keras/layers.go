package keras

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// layerOrder is the place of each group among those beside it, by its path: that of its
// layer in the model. Keras 3 calls the group of a layer after its class and counts those
// of one class (saving_lib.py, _save_container_state); what the names do not tell is how
// layers of different classes follow each other, and config.json does.
func (w *walker) layerOrder() map[string]int {
	order := map[string]int{}
	for _, c := range w.configs {
		var model any
		if c.where != "config.json" || c.fault != "" || json.Unmarshal([]byte(c.text), &model) != nil {
			continue
		}
		orderLayers(model, "", 0, order)
	}
	return order
}

// maxModels is how deep models lie in models.
const maxModels = 32

func orderLayers(model any, prefix string, depth int, order map[string]int) {
	object, _ := model.(map[string]any)
	inner, _ := object["config"].(map[string]any)
	layers, _ := inner["layers"].([]any)
	if depth >= maxModels {
		return
	}
	used := map[string]int{}
	for i, layer := range layers {
		object, _ := layer.(map[string]any)
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
		order[path] = i
		if class == "Bidirectional" { // its weights are those of both in this order
			order[path+"/forward_layer"], order[path+"/backward_layer"] = 0, 1
		}
		orderLayers(layer, path+"/", depth+1, order)
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
