package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"wfs/formats/hdf5"
)

// attrs remembers the attributes of an object. Broken ones do not hide the others' values;
// only the source's own errors end the walk.
func (w *walker) attrs(path string, obj hdf5.Object) error {
	list, err := obj.Attrs()
	var broken *hdf5.FormatError
	if errors.As(err, &broken) {
		w.note("the attributes of %q are left out: %v", "/"+path, err)
		if path == "" {
			w.configs = append(w.configs, config{where: "model_config", fault: "the attributes of the root are broken"})
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("attributes of %q: %w", "/"+path, err)
	}
	for i := range list {
		a := &list[i]
		value := valueOf(a)
		if path == "" && (a.Name == "model_config" || a.Name == "training_config") {
			w.configs = append(w.configs, configOf(a.Name, value))
		}
		if w.bytes += sizeOf(value); w.bytes > maxAttributes {
			value = "cut: the attributes are too large"
		}
		if w.attributes[path] == nil {
			w.attributes[path] = map[string]any{}
		}
		w.attributes[path][a.Name] = value
	}
	return nil
}

// configOf is a configuration for the report, whole or with the reason why not.
func configOf(name string, value any) config {
	c := config{where: name}
	switch text, ok := value.(string); {
	case !ok:
		c.fault = "it is not text"
	case len(text) > maxConfig:
		c.fault = fmt.Sprintf("it has %d bytes, wfs reads %d", len(text), maxConfig)
	default:
		c.text = text
	}
	return c
}

// valueOf is an attribute's value as JSON can hold it.
func valueOf(a *hdf5.Attribute) any {
	names, err := a.Strings()
	if err == nil {
		if a.Dims == nil && len(names) == 1 {
			return printable(names[0])
		}
		for i := range names {
			names[i] = printable(names[i]).(string)
		}
		return names
	}
	value, err := a.Value()
	if err != nil {
		return "cannot be shown: " + err.Error()
	}
	return printable(value)
}

// sizeOf is about what a value takes in memory.
func sizeOf(value any) int {
	switch v := value.(type) {
	case string:
		return len(v) + 16
	case []string:
		n := 0
		for _, s := range v {
			n += len(s) + 16
		}
		return n
	case []bool:
		return len(v)
	case []int64:
		return 8 * len(v)
	case []uint64:
		return 8 * len(v)
	case []float64:
		return 8 * len(v)
	}
	return 16
}

// printable keeps what JSON cannot write.
func printable(v any) any {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return strings.ToValidUTF8(v, "\uFFFD")
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case float32:
		return printable(float64(v))
	case complex64, complex128:
		return fmt.Sprint(v)
	}
	if _, err := json.Marshal(v); err != nil {
		return fmt.Sprint(v)
	}
	return v
}
