package gguf

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// Bounds of what is kept of a header.
const (
	maxPairs   = 100_000
	maxKey     = 1<<16 - 1 // gguf.md
	maxText    = 256 << 10 // a chat template has 30 KB
	maxKept    = 64 << 20  // of keys and texts together
	arrayHead  = 8         // elements
	elementLen = 200       // bytes of each
)

// valueType is what a value is (gguf.md, gguf_metadata_value_type).
type valueType uint32

const (
	typeU8 valueType = iota
	typeI8
	typeU16
	typeI16
	typeU32
	typeI32
	typeF32
	typeBool
	typeString
	typeArray
	typeU64
	typeI64
	typeF64
)

var (
	typeNames  = [...]string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64", "int64", "float64"}
	typeWidths = [...]uint64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8} // 0 for those that have none
)

// metadata is the key-value pairs of a file, for meta/objects.json. An integer is an int64 or
// an uint64.
type metadata map[string]any

// array is what is kept of one.
type array struct {
	Type  string `json:"type"`
	Count uint64 `json:"count"`
	Head  []any  `json:"head"`
}

// cut is what is kept of a text that is too long.
type cut struct {
	Bytes uint64 `json:"bytes"`
	Head  string `json:"head"`
}

// pairs reads n pairs.
func (c *cursor) pairs(n uint64) (metadata, error) {
	if n > maxPairs || n > uint64(c.left())/13 {
		return nil, fmt.Errorf("its header claims %d key-value pairs in %d bytes", n, c.left())
	}
	m := metadata{}
	room := uint64(maxKept)
	for range n {
		key, err := c.text("a key", maxKey)
		if err != nil {
			return nil, err
		}
		if _, twice := m[key]; twice {
			return nil, fmt.Errorf("its header has the key %.200q twice", key)
		}
		if uint64(len(key)) > room {
			return nil, fmt.Errorf("the keys of its header have more than %d bytes", maxKept)
		}
		room -= uint64(len(key))
		kind, err := c.u32("a value")
		if err == nil {
			m[key], err = c.value(valueType(kind), &room)
		}
		if err != nil {
			return nil, fmt.Errorf("the value of %.200q: %w", key, err)
		}
	}
	return m, nil
}

// value reads a value; texts take of room.
func (c *cursor) value(kind valueType, room *uint64) (any, error) {
	switch {
	case kind == typeArray:
		return c.array(room)
	case kind == typeString:
		return c.long(maxText, room)
	case int(kind) >= len(typeWidths):
		return nil, fmt.Errorf("its type %d is none that GGUF has", kind)
	}
	b, err := c.take(typeWidths[kind], "a number")
	if err != nil {
		return nil, err
	}
	return c.scalar(kind, b), nil
}

func (c *cursor) scalar(kind valueType, b []byte) any {
	switch kind {
	case typeU8:
		return uint64(b[0])
	case typeI8:
		return int64(int8(b[0]))
	case typeU16:
		return uint64(c.order.Uint16(b))
	case typeI16:
		return int64(int16(c.order.Uint16(b)))
	case typeU32:
		return uint64(c.order.Uint32(b))
	case typeI32:
		return int64(int32(c.order.Uint32(b)))
	case typeF32:
		return number(float64(math.Float32frombits(c.order.Uint32(b))), 32)
	case typeBool:
		return b[0] != 0
	case typeU64:
		return c.order.Uint64(b)
	case typeI64:
		return int64(c.order.Uint64(b))
	}
	return number(math.Float64frombits(c.order.Uint64(b)), 64)
}

// number is a float with the digits that tell it from others. JSON has no NaN and no infinity.
func number(v float64, bits int) any {
	text := strconv.FormatFloat(v, 'g', -1, bits)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return text
	}
	return json.Number(text)
}

// long reads a text of which no more than most bytes are kept.
func (c *cursor) long(most uint64, room *uint64) (any, error) {
	n, err := c.u64("a text")
	if err != nil {
		return nil, err
	}
	if n <= most && n <= *room {
		*room -= n
		b, err := c.take(n, "a text")
		return string(b), err
	}
	if err := c.need(n, "a text"); err != nil {
		return nil, err
	}
	head := min(n, elementLen, *room)
	*room -= head
	b, err := c.take(head, "a text")
	if err != nil {
		return nil, err
	}
	kept := string(b)
	return cut{n, strings.ToValidUTF8(kept, "")}, c.skip(n-head, "a text")
}

func (c *cursor) array(room *uint64) (any, error) {
	n, err := c.u32("an array")
	if err != nil {
		return nil, err
	}
	kind := valueType(n)
	count, err := c.u64("an array")
	switch {
	case err != nil:
		return nil, err
	case kind == typeArray:
		return nil, errors.New("it is an array of arrays, which llama.cpp has not either")
	case int(kind) >= len(typeWidths):
		return nil, fmt.Errorf("it is an array of the type %d, which GGUF does not have", kind)
	}
	width := typeWidths[kind]
	if least := max(width, 1); kind == typeString && count > uint64(c.left())/8 || count > uint64(c.left())/least {
		return nil, fmt.Errorf("it is an array that claims %d elements in %d bytes", count, c.left())
	}
	a := array{Type: typeNames[kind], Count: count, Head: []any{}}
	for range min(count, arrayHead) {
		var v any
		if kind == typeString {
			v, err = c.long(elementLen, room)
		} else {
			v, err = c.value(kind, room)
		}
		if err != nil {
			return nil, err
		}
		a.Head = append(a.Head, v)
	}
	rest := count - uint64(len(a.Head))
	if kind != typeString {
		return a, c.skip(rest*width, "an array")
	}
	for range rest {
		length, err := c.u64("a text")
		if err == nil {
			err = c.skip(length, "a text")
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// text is a value that is one, "" where there is none.
func (m metadata) text(key string) string {
	s, _ := m[key].(string)
	return s
}

// integer is a value that is one and no less than 0.
func (m metadata) integer(key string) (int64, bool) {
	switch v := m[key].(type) {
	case uint64:
		return int64(v), v <= math.MaxInt64
	case int64:
		return v, v >= 0
	}
	return 0, false
}

// kind is what a file holds, and a remark on one that is no model (gguf-py/gguf/constants.py,
// GGUFType; older files of a projector say no more than their architecture).
func (m metadata) kind(empty bool) (kind, note string) {
	architecture := m.text("general.architecture")
	switch kind := m.text("general.type"); {
	case kind == "adapter" && m.text("adapter.type") == "lora":
		return "LoRA adapter", "it is a LoRA adapter, and no model by itself"
	case kind == "adapter":
		return "adapter", "it is an adapter, and no model by itself"
	case kind == "mmproj", kind == "" && architecture == "clip":
		return "multimodal projector", "it is the multimodal projector of a model, and no model by itself"
	case kind == "imatrix":
		return "importance matrix", "it is an importance matrix, by which weights were quantized, and holds no weights"
	case architecture == "controlvector":
		return "control vector", "it is a control vector, and no model by itself"
	case empty && m.text("tokenizer.ggml.model") != "":
		return "vocabulary", "it is a vocabulary, and holds no weights"
	}
	return "", ""
}

const chatTemplate = "tokenizer.chat_template"

// named is a chat template by the name that a user calls it, of maxTemplateName bytes at most. A
// pattern that counted them would take half a millisecond of each start.
var named = regexp.MustCompile(`^` + regexp.QuoteMeta(chatTemplate) + `\.([A-Za-z0-9_-]+)$`)

const maxTemplateName = 64

// templates are the chat templates of a file, as files with the names that transformers gives
// them (transformers/utils/__init__.py, CHAT_TEMPLATE_FILE and CHAT_TEMPLATE_DIR). They are
// programs of Jinja, which wfs does not run.
func (m metadata) templates(src source.Source) (files []checkpoint.File) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		text, ok := m[key].(string)
		name := "chat_template.jinja"
		if key != chatTemplate {
			match := named.FindStringSubmatch(key)
			if match == nil || len(match[1]) > maxTemplateName {
				continue
			}
			name = "additional_chat_templates/" + match[1] + ".jinja"
		}
		if ok && text != "" {
			files = append(files, checkpoint.File{Path: name, Source: source.NewMemory(name, segment.Literal(text), src)})
		}
	}
	return files
}
