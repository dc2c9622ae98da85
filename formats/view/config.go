package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/quantized"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// maxConfig bounds a config.json that is looked into.
const maxConfig = 16 << 20

// configName is what transformers and diffusers call the configuration of a model.
const configName = "config.json"

// config is the text of the configuration beside the weights of a set, nil where there is
// none.
func (d *deriving) config(set Set) ([]byte, error) {
	for _, f := range d.plan.Model.Files {
		if f.Path == set.Join(configName) {
			text, err := readConfig(f.Source)
			if err != nil {
				err = fmt.Errorf("%s: %w", f.Path, err)
			}
			return text, err
		}
	}
	return nil, nil
}

// configs makes the configurations of the view's directories true: of what dtype the weights
// are, whether they are quantized, and whether the embeddings are tied. Everything else
// stays as it was, to the byte.
func (d *deriving) configs(model *checkpoint.Model) {
	model.Files = slices.Clone(model.Files)
	for i, f := range model.Files {
		at := slices.IndexFunc(d.plan.Sets, func(s Set) bool { return s.Join(configName) == f.Path })
		if at < 0 {
			continue
		}
		text, err := readConfig(f.Source)
		changed := text
		if plain := d.plain[f.Path]; err == nil && plain != checkpoint.Invalid {
			changed, err = quantized.PlainConfig(text, plain)
		}
		if err == nil {
			changed, err = edit(changed, d.truth(d.sets[at]))
		}
		if err != nil {
			d.plan.note(fmt.Sprintf("%s is shown as it is: %v", f.Path, err))
			continue
		}
		if !bytes.Equal(changed, text) {
			model.Files[i].Source = source.NewMemory(f.Source.Path(), segment.Literal(changed), f.Source)
			d.plan.note(f.Path + " is made for the view: it says what its weights are")
		}
	}
}

// truth is what a configuration has to say of tensors where it says something else.
func (d *deriving) truth(nodes []*node) func(key string, value json.Token) (string, bool) {
	dtype := ""
	if d.rules.Cast.Set {
		dtype = d.rules.Cast.Value.Torch()
	}
	apart := cameApart(nodes)
	return func(key string, value json.Token) (string, bool) {
		switch was := value.(type) {
		case string:
			if dtype != "" && (key == "torch_dtype" || key == "dtype") && isFloat(was) && was != dtype {
				return fmt.Sprintf("%q", dtype), true
			}
		case bool:
			if key == "tie_word_embeddings" && was && apart {
				return "false", true
			}
		}
		return "", false
	}
}

// cameApart reports whether two tensors that were tied in the source are not in the view. What
// is made of one tensor, as q, k and v of a fused projection, was not.
func cameApart(nodes []*node) bool {
	made := map[*checkpoint.Tensor]string{} // of each in the source, all that is made of it
	for _, n := range nodes {
		made[n.of] += n.made + "\n"
	}
	for t, what := range made {
		if first, ok := made[t.Canonical()]; ok && first != what {
			return true
		}
	}
	return false
}

func readConfig(src source.Source) ([]byte, error) {
	if src.Size() > maxConfig {
		return nil, fmt.Errorf("it has %d bytes: wfs reads no configuration of more than %d", src.Size(), maxConfig)
	}
	text := make([]byte, src.Size())
	return text, segment.ReadFull(src, text, 0)
}

// isFloat reports whether torch calls a floating-point dtype so.
func isFloat(torch string) bool {
	for d := range checkpoint.DTypes() {
		if d.Torch() == torch && torch != "" {
			return ops.Casts(d, checkpoint.F32)
		}
	}
	return false
}

// edit replaces values of a JSON text: those that with has another text for, by their keys,
// at any depth. All other bytes stay.
func edit(text []byte, with func(key string, value json.Token) (string, bool)) ([]byte, error) {
	if !json.Valid(text) { // a decoder of tokens does not mind if the end is missing
		return nil, errors.New("it is not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out bytes.Buffer
	var inObject []bool // for each nesting
	written, key, atKey := int64(0), "", false
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{', '[':
				inObject = append(inObject, t == '{')
			default:
				inObject = inObject[:len(inObject)-1]
			}
			atKey = len(inObject) > 0 && inObject[len(inObject)-1]
			continue
		}
		if atKey {
			key, atKey = token.(string), false
			continue
		}
		atKey = len(inObject) > 0 && inObject[len(inObject)-1]
		if !atKey {
			continue
		}
		if other, ok := with(key, token); ok {
			end := dec.InputOffset()
			begin := written + int64(lastValue(text[written:end]))
			out.Write(text[written:begin])
			out.WriteString(other)
			written = end
		}
	}
	out.Write(text[written:])
	return out.Bytes(), nil
}

// lastValue is where the last value of a text begins: after the colon of its key, which for
// a string is before its opening quote.
func lastValue(text []byte) int {
	at := len(text) - 1
	if text[at] == '"' {
		for at--; text[at] != '"' || escaped(text[:at]); at-- {
		}
		return at
	}
	return bytes.LastIndexAny(text, ": \t\n\r") + 1
}

// escaped reports whether a text ends in a backslash that counts.
func escaped(text []byte) bool {
	n := len(text) - len(bytes.TrimRight(text, `\`))
	return n%2 == 1
}
