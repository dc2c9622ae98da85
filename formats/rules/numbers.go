package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"wfs/formats/keys"
)

// numbers are those of [let] for one directory of weights, whose config.json they may be
// from. They are looked up when they are used.
type numbers struct {
	lets []Let
	set  string
	env  Env

	read   bool
	config any // the config.json, nil for none
	err    error
	known  map[string]float64
}

// find is a number by its name. A fault is that of its line in [let].
func (n *numbers) find(name string) (float64, error) {
	if x, ok := n.known[name]; ok {
		return x, nil
	}
	i := slices.IndexFunc(n.lets, func(l Let) bool { return l.Name == name })
	let := n.lets[i] // Parse has seen that it is there
	x := let.Number
	if let.Config != "" {
		var err error
		if x, err = n.look(let); err != nil {
			return 0, err
		}
	}
	if n.known == nil {
		n.known = map[string]float64{}
	}
	n.known[name] = x
	return x, nil
}

// look finds a number in config.json.
func (n *numbers) look(let Let) (float64, error) {
	if !n.read {
		n.read = true
		n.config, n.err = n.parse()
	}
	if n.err != nil {
		return 0, let.Pos.errorf("config.json: %v", n.err)
	}
	here := n.config
	path := strings.Split(let.Config, ".")
	for i, name := range path {
		object, ok := here.(map[string]any)
		if !ok {
			return 0, let.Pos.errorf("config.json has nothing below %s", quote(strings.Join(path[:i], ".")))
		}
		if here, ok = object[name]; !ok {
			return 0, let.Pos.errorf("config.json has no %s%s", quote(strings.Join(path[:i+1], ".")), meant(keys.Nearest(name, maps.Keys(object))))
		}
	}
	number, ok := here.(json.Number)
	if !ok {
		return 0, let.Pos.errorf("%s of config.json is not a number", quote(let.Config))
	}
	x, err := number.Float64()
	if err != nil || math.Abs(x) > 1<<53 {
		return 0, let.Pos.errorf("%s of config.json is not a number that can be counted with: %s", quote(let.Config), quote(number.String()))
	}
	return x, nil
}

// parse reads the config.json of the set.
func (n *numbers) parse() (any, error) {
	text, err := n.env.Config(n.set)
	switch {
	case err != nil:
		return nil, err
	case text == nil:
		return nil, errors.New("there is none beside the weights: write the number itself")
	}
	var config any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err = dec.Decode(&config)
	return config, err
}
