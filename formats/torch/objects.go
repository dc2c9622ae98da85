package torch

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
)

// Bounds of meta/objects.json: what lies beyond is cut, and says so.
const (
	maxObjects     = 200_000
	maxObjectBytes = 16 << 20
	maxObjectDepth = 64
	maxText        = 64 << 10
)

// entry keeps the order of a dict in JSON.
type entry struct {
	key   string
	value any
}

// ordered is a JSON object whose keys stay in order.
type ordered []entry

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) { return marshalOrdered(o) }

// objects renders everything in v that is not a tensor for meta/objects.json; nil
// when v holds nothing but tensors.
func (c *collector) objects(v pickle.Value) any {
	if c.onlyTensors(v) {
		return nil
	}
	w := &objectWriter{resolver: c.resolver, path: map[any]bool{}}
	out := w.render(v, 0)
	if !w.other {
		return nil
	}
	return out
}

// onlyTensors reports whether v is a plain state dict, which has no objects.
func (c *collector) onlyTensors(v pickle.Value) bool {
	list, ok := pairs(v)
	if !ok {
		return false
	}
	for _, p := range list {
		if _, isTensor := c.tensor(p.Value); !isTensor {
			return false
		}
	}
	return true
}

type objectWriter struct {
	*resolver
	path  map[any]bool // containers on the way down
	count int
	bytes int
	other bool // something that is not a tensor was seen
}

func (w *objectWriter) render(v pickle.Value, depth int) any {
	w.count++
	if w.count > maxObjects || w.bytes > maxObjectBytes {
		return "…cut: too many values"
	}
	if depth > maxObjectDepth {
		return "…cut: nested too deep"
	}
	if t, ok := w.tensor(v); ok {
		return describe(t)
	}
	if container(v) {
		if w.path[v] {
			return "…cut: the value contains itself"
		}
		w.path[v] = true
		defer delete(w.path, v)
	} else {
		w.other = true
	}
	switch v := v.(type) {
	case pickle.None:
		return nil
	case bool:
		return v
	case int64:
		return v
	case *big.Int:
		return ordered{{"int", v.String()}}
	case float64:
		return float(v)
	case string:
		return w.text(v)
	case pickle.Text:
		return ordered{{"text", fmt.Sprintf("%d bytes", v.Len)}}
	case pickle.Bytes:
		return w.raw(v)
	case *pickle.List:
		return w.list(v.Items, depth)
	case *pickle.Tuple:
		return w.list(v.Items, depth)
	case *pickle.Set:
		return ordered{{"set", w.list(v.Items, depth)}}
	case *pickle.Dict:
		return w.dict(v.List(), depth)
	case *pickle.Object:
		return w.object(v, depth)
	case *pickle.Global:
		return ordered{{"global", v.Module + "." + v.Name}}
	case *pickle.PersID:
		return ordered{{"persistent_id", w.render(v.ID, depth+1)}}
	case pickle.Extension:
		return ordered{{"extension", v.Code}}
	}
	return fmt.Sprintf("%T", v)
}

func (w *objectWriter) list(values []pickle.Value, depth int) []any {
	out := []any{}
	for _, v := range values {
		if w.count > maxObjects {
			return append(out, "…cut: too many values")
		}
		out = append(out, w.render(v, depth+1))
	}
	return out
}

func (w *objectWriter) dict(list []pickle.Pair, depth int) ordered {
	out := make(ordered, 0, min(len(list), maxObjects))
	for _, p := range list {
		if _, isText := text(p.Key); !isText {
			w.other = true
			break
		}
	}
	names := namer{} // what is not UTF-8 may become alike, too
	for name, v := range named(list) {
		if w.count > maxObjects {
			return append(out, entry{"…", "cut: too many values"})
		}
		key := names.unique(strings.ToValidUTF8(name, "\uFFFD"))
		w.bytes += len(key)
		out = append(out, entry{key, w.render(v, depth+1)})
	}
	return out
}

// object renders a call that was not made: its class, arguments and state.
func (w *objectWriter) object(o *pickle.Object, depth int) any {
	if name, _ := asGlobal(o.Callable); isSequence(name) {
		list, _ := items(o)
		if name.name == "set" || name.name == "frozenset" {
			return ordered{{"set", w.list(list, depth)}}
		}
		return w.list(list, depth)
	}
	if isOrderedDict(o) {
		list, _ := pairs(o)
		return w.dict(list, depth)
	}
	w.other = true
	name, known := asGlobal(o.Callable)
	args, _ := items(o.Args)
	if known && name.name == "scalar" && strings.HasPrefix(name.module, "numpy.") {
		if d, data, ok := w.numpyScalar(args); ok {
			b := make([]byte, data.Size())
			if _, err := data.ReadAt(b, 0); err == nil {
				return number(d, b)
			}
		}
	}
	switch name {
	case global{"pathlib", "PosixPath"}, global{"pathlib", "WindowsPath"}, global{"pathlib", "Path"}, global{"pathlib._local", "PosixPath"}:
		return ordered{{"path", joinPath(args)}}
	case global{"_codecs", "encode"}, global{"builtins", "bytearray"}, global{"builtins", "bytes"}:
		if b, ok := w.payload(o); ok && b.Size() <= maxText {
			raw := make([]byte, b.Size())
			if n, _ := b.ReadAt(raw, 0); n == len(raw) {
				return ordered{{"bytes", hex.EncodeToString(raw)}}
			}
		}
	}
	class := any("?")
	if known {
		class = name.module + "." + name.name
	} else if o.Callable != nil {
		class = w.render(o.Callable, depth+1)
	}
	if known && (name == global{"copyreg", "_reconstructor"}) && len(args) > 0 {
		if g, ok := asGlobal(args[0]); ok {
			class, args = g.module+"."+g.name, nil
		}
	}
	out := ordered{{"class", class}}
	if len(args) > 0 {
		out = append(out, entry{"args", w.list(args, depth)})
	}
	if o.State != nil {
		if a := attributes(o.State); a != nil {
			out = append(out, entry{"state", w.dict(a, depth)})
		} else {
			out = append(out, entry{"state", w.render(o.State, depth+1)})
		}
	}
	if len(o.Items) > 0 {
		out = append(out, entry{"items", w.list(o.Items, depth)})
	}
	if list := o.Pairs.List(); len(list) > 0 {
		out = append(out, entry{"dict", w.dict(list, depth)})
	}
	return out
}

func (w *objectWriter) text(s string) any {
	if len(s) > maxText {
		return ordered{{"text", fmt.Sprintf("%d bytes", len(s))}}
	}
	w.bytes += len(s)
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (w *objectWriter) raw(b pickle.Bytes) any {
	if b.Data == nil {
		return ordered{{"bytes", fmt.Sprintf("%d bytes", b.Len)}}
	}
	if b.Old && utf8.Valid(b.Data) {
		return w.text(string(b.Data))
	}
	w.bytes += 2 * len(b.Data)
	return ordered{{"bytes", hex.EncodeToString(b.Data)}}
}

func joinPath(args []pickle.Value) string {
	path := ""
	for _, a := range args {
		s, _ := text(a)
		if path != "" && !strings.HasSuffix(path, "/") {
			path += "/"
		}
		path += strings.ToValidUTF8(s, "\uFFFD")
	}
	return path
}

func describe(t tensorValue) any {
	switch {
	case t.omit != "":
		return ordered{{"tensor", t.omit}}
	case t.array != nil:
		return described{t.array.kind(), t.array.size}
	}
	out := ordered{}
	for _, p := range t.parts {
		out = append(out, entry{p.name, describe(p.tensorValue)})
	}
	return ordered{{"tensor", out}}
}

// described is an array as it is shown. A whole model has as many of these as tensors, and
// they stay as long as the mount.
type described struct {
	dtype checkpoint.DType
	shape []int64
}

// MarshalJSON implements json.Marshaler.
func (d described) MarshalJSON() ([]byte, error) {
	return marshalOrdered(ordered{{"tensor", d.dtype.String()}, {"shape", nonNil(d.shape)}})
}

func nonNil(s []int64) []int64 {
	if s == nil {
		return []int64{}
	}
	return s
}

// float keeps what JSON cannot write.
func float(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ordered{{"float", fmt.Sprint(f)}}
	}
	return f
}

// number decodes a NumPy scalar.
func number(d checkpoint.DType, b []byte) any {
	le := binary.LittleEndian
	switch d {
	case checkpoint.BOOL:
		return b[0] != 0
	case checkpoint.U8:
		return b[0]
	case checkpoint.I8:
		return int8(b[0])
	case checkpoint.I16:
		return int16(le.Uint16(b))
	case checkpoint.U16:
		return le.Uint16(b)
	case checkpoint.I32:
		return int32(le.Uint32(b))
	case checkpoint.U32:
		return le.Uint32(b)
	case checkpoint.I64:
		return int64(le.Uint64(b))
	case checkpoint.U64:
		return le.Uint64(b)
	case checkpoint.F32:
		return float(float64(math.Float32frombits(le.Uint32(b))))
	case checkpoint.F64:
		return float(math.Float64frombits(le.Uint64(b)))
	}
	return ordered{{"dtype", d.String()}, {"bytes", hex.EncodeToString(b)}}
}
