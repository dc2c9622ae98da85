package quantized

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
)

// PlainConfig is a config.json as it is right beside plain weights of a dtype, which is that of
// Find: without the quantization_config, or compression_config, of the model and of its text
// model, and with that dtype under the name that is there, or else "torch_dtype". Everything else is
// kept, byte for byte.
func PlainConfig(config []byte, to checkpoint.DType) ([]byte, error) {
	to, err := PlainDType(config, to)
	if err != nil {
		return nil, err
	}
	root, err := readObject(config)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	var edits []edit
	named := false
	plain := func(o *object) {
		edits = append(edits, o.without(sections)...)
		for _, m := range o.members {
			if slices.Contains(dtypeNames, m.name) && config[m.value] == '"' {
				named = true
				edits = append(edits, edit{m.value, m.end, []byte(`"` + to.Torch() + `"`)})
			}
		}
	}
	plain(root)
	for _, m := range root.members {
		if m.name == "text_config" && config[m.value] == '{' {
			inner, err := readObject(config[m.value:m.end])
			if err != nil {
				return nil, fmt.Errorf("config.json: %w", err)
			}
			inner.move(m.value)
			plain(inner)
		}
	}
	if !named {
		text := fmt.Sprintf("\n  %q: %q", "torch_dtype", to.Torch())
		if len(root.members) > len(root.without(sections)) {
			text += ","
		} else {
			text += "\n"
		}
		edits = slices.Insert(edits, 0, edit{root.open + 1, root.open + 1, []byte(text)})
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(config[at:e.from])
		out.Write(e.text)
		at = e.to
	}
	out.Write(config[at:])
	return out.Bytes(), nil
}

// edit puts text in the place of the bytes [from, to).
type edit struct {
	from, to int
	text     []byte
}

// object is where the members of a JSON object stand.
type object struct {
	open    int // of its brace
	members []jsonMember
}

type jsonMember struct {
	name            string
	key, value, end int // the quote of its name, the first byte of its value, and past that
}

// readObject finds the members of an object.
func readObject(text []byte) (*object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	start, err := d.Token()
	if err != nil {
		return nil, err
	}
	if start != json.Delim('{') {
		return nil, fmt.Errorf("it is no JSON object")
	}
	o := &object{open: int(d.InputOffset()) - 1}
	for d.More() {
		m := jsonMember{}
		before := int(d.InputOffset())
		m.key = before + bytes.IndexByte(text[before:], '"')
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		m.name, _ = token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		m.end = int(d.InputOffset())
		m.value = m.end - len(value)
		o.members = append(o.members, m)
	}
	_, err = d.Token()
	return o, err
}

// move adds to all places.
func (o *object) move(by int) {
	o.open += by
	for i := range o.members {
		m := &o.members[i]
		m.key, m.value, m.end = m.key+by, m.value+by, m.end+by
	}
}

// without takes members out: each with the comma before it, or, where none that stays stands
// before it, with all up to the next.
func (o *object) without(names []string) []edit {
	var edits []edit
	kept := false
	for i, m := range o.members {
		if !slices.Contains(names, m.name) {
			kept = true
			continue
		}
		switch {
		case kept:
			edits = append(edits, edit{from: o.members[i-1].end, to: m.end})
		case i+1 < len(o.members):
			edits = append(edits, edit{from: m.key, to: o.members[i+1].key})
		default:
			edits = append(edits, edit{from: m.key, to: m.end})
		}
	}
	return edits
}
