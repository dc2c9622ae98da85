package keras

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"wfs/formats/checkpoint"
	"wfs/formats/hdf5"
	"wfs/formats/segment"
)

// walker makes a tensor of each dataset and remembers the attributes of all objects.
type walker struct {
	file       segment.Data
	out        *checkpoint.Checkpoint
	byAddress  map[uint64]*checkpoint.Tensor
	attributes map[string]map[string]any // by path, "" is the root
	bytes      int
	configs    []config
	opaque     int    // datasets that are shown as their bytes
	first      string // of them, and why
}

// maxAttributes bounds what of the attributes is kept for meta/objects.json.
const maxAttributes = 32 << 20

func (w *walker) walk(f *hdf5.File) error {
	root, err := f.Root()
	if err != nil {
		return err
	}
	if err := w.attrs("", root); err != nil {
		return err
	}
	return f.Walk(func(path string, obj hdf5.Object) error {
		switch o := obj.(type) {
		case *hdf5.Dataset:
			w.dataset(path, o)
		case *hdf5.Unreachable:
			w.omit(path, o.Reason)
			if o.Err != nil {
				w.note("object %q is left out: %v", path, o.Err)
			}
			return nil
		case *hdf5.Group:
		default:
			return nil
		}
		return w.attrs(path, obj)
	})
}

// maxNotes bounds what is said of a broken file.
const maxNotes = 20

func (w *walker) note(format string, args ...any) {
	if len(w.out.Notes) < maxNotes {
		w.out.Notes = append(w.out.Notes, fmt.Sprintf(format, args...))
	}
}

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
			w.config(a.Name, value)
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

// config remembers a configuration for the report, whole or with the reason why not.
func (w *walker) config(name string, value any) {
	c := config{where: name}
	switch text, ok := value.(string); {
	case !ok:
		c.fault = "it is no text"
	case len(text) > maxConfig:
		c.fault = fmt.Sprintf("it has %d bytes, wfs reads %d", len(text), maxConfig)
	default:
		c.text = text
	}
	w.configs = append(w.configs, c)
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

func (w *walker) omit(path, reason string) {
	w.out.Omitted = append(w.out.Omitted, checkpoint.Omitted{Key: path, Reason: reason})
}

// dataset adds one. All links to it are one inode.
func (w *walker) dataset(path string, d *hdf5.Dataset) {
	dtype, reason := dtypeOf(d)
	dims := d.Dims
	what := ""
	if dtype == checkpoint.Invalid && d.Dtype.Kind == hdf5.KindOpaque {
		// No dtype has elements of any bytes: the bytes are one dimension more.
		what, dtype, reason = reason, checkpoint.U8, ""
		dims = append(slices.Clone(dims), d.Dtype.Size)
	}
	switch {
	case d.Null:
		reason = "null dataspace: it has no value"
	case reason == "" && d.Unsupported() != "":
		reason = d.Unsupported()
	}
	if reason != "" {
		w.omit(path, reason)
		return
	}
	shape := make([]int64, len(dims))
	for i, n := range dims {
		shape[i] = int64(n)
	}
	size, err := checkpoint.ByteSize(dtype, shape)
	if err != nil || size != d.Size() {
		w.omit(path, fmt.Sprintf("%s %v does not fill %d bytes", dtype, shape, d.Size()))
		return
	}
	if what != "" {
		if w.opaque++; w.opaque == 1 {
			w.first = fmt.Sprintf("%q: %s", path, what)
		}
	}
	t := &checkpoint.Tensor{Key: path, DType: dtype, Shape: shape, Tied: w.byAddress[d.Address()]}
	w.out.Tensors = append(w.out.Tensors, t)
	if t.Tied != nil {
		t.Data = t.Tied.Data
		return
	}
	w.byAddress[d.Address()] = t
	t.Data = d
	if off, n, ok := d.Contiguous(); ok {
		t.Data = &segment.Range{Src: w.file, Off: off, N: n}
	}
	if d.Dtype.Order == hdf5.BigEndian {
		width := int64(dtype.Bits() / 8)
		if d.Dtype.Kind == hdf5.KindComplex {
			width /= 2
		}
		t.Data = segment.Swap(t.Data, width)
	}
}

// dtypeOf maps an HDF5 datatype, or says why not.
func dtypeOf(d *hdf5.Dataset) (checkpoint.DType, string) {
	t := &d.Dtype
	type kind struct {
		kind hdf5.Kind
		size uint64
	}
	known := map[kind]checkpoint.DType{
		{hdf5.KindInt, 1}: checkpoint.I8, {hdf5.KindInt, 2}: checkpoint.I16, {hdf5.KindInt, 4}: checkpoint.I32, {hdf5.KindInt, 8}: checkpoint.I64,
		{hdf5.KindUint, 1}: checkpoint.U8, {hdf5.KindUint, 2}: checkpoint.U16, {hdf5.KindUint, 4}: checkpoint.U32, {hdf5.KindUint, 8}: checkpoint.U64,
		{hdf5.KindFloat, 2}: checkpoint.F16, {hdf5.KindFloat, 4}: checkpoint.F32, {hdf5.KindFloat, 8}: checkpoint.F64,
		{hdf5.KindBFloat16, 2}: checkpoint.BF16, {hdf5.KindFloat8E4M3, 1}: checkpoint.F8E4M3, {hdf5.KindFloat8E5M2, 1}: checkpoint.F8E5M2,
		{hdf5.KindBool, 1}: checkpoint.BOOL, {hdf5.KindComplex, 8}: checkpoint.C64, {hdf5.KindComplex, 16}: checkpoint.C128,
	}
	if dtype, ok := known[kind{t.Kind, t.Size}]; ok {
		return dtype, ""
	}
	switch t.Kind {
	case hdf5.KindOpaque:
		// Keras writes a dtype that NumPy has no name for as opaque, and names it in an
		// attribute (keras/src/saving/saving_lib.py, H5Entry).
		return opaque(d)
	case hdf5.KindString, hdf5.KindVarString:
		return checkpoint.Invalid, "it holds strings"
	case hdf5.KindNone:
		return checkpoint.Invalid, t.Reason
	}
	return checkpoint.Invalid, fmt.Sprintf("%s of %d bytes has no counterpart", t.Class, t.Size)
}

func opaque(d *hdf5.Dataset) (checkpoint.DType, string) {
	attrs, err := d.Attrs()
	if err != nil {
		return checkpoint.Invalid, err.Error()
	}
	for _, a := range attrs {
		if a.Name != "dtype" {
			continue
		}
		names, err := a.Strings()
		if err != nil || len(names) != 1 {
			continue
		}
		for dtype := checkpoint.BOOL; dtype <= checkpoint.U64; dtype++ {
			if dtype.Torch() == names[0] && uint64(dtype.Bits()) == 8*d.Dtype.Size {
				return dtype, ""
			}
		}
		return checkpoint.Invalid, fmt.Sprintf("opaque of dtype %q", names[0])
	}
	if d.Dtype.Tag != "" {
		return checkpoint.Invalid, fmt.Sprintf("opaque elements of type %q", d.Dtype.Tag)
	}
	return checkpoint.Invalid, fmt.Sprintf("opaque elements of %d bytes", d.Dtype.Size)
}

// names reads an attribute of names, which Keras splits into name0, name1, … where
// it is longer than 64 512 bytes (keras/src/legacy/saving/legacy_h5_format.py,
// save_attributes_to_hdf5_group).
func (w *walker) names(path, name string) []string {
	attrs := w.attributes[path]
	if list, ok := attrs[name].([]string); ok {
		return list
	}
	var all []string
	for i := 0; ; i++ {
		part, ok := attrs[fmt.Sprintf("%s%d", name, i)].([]string)
		if !ok {
			return all
		}
		all = append(all, part...)
	}
}

// order sorts tensors as their layers lie in the model: by layer_names and
// weight_names where Keras wrote them, the others by path: groups of layers as in
// config.json, numbers by their value.
func (w *walker) order(root string) {
	rank := map[string]int{}
	prefix := ""
	if root != "" {
		prefix = root + "/"
	}
	for _, layer := range w.names(root, "layer_names") {
		for _, weight := range w.names(prefix+layer, "weight_names") {
			path := prefix + layer + "/" + weight
			if _, known := rank[path]; !known {
				rank[path] = len(rank)
			}
		}
	}
	layers := w.layerOrder()
	slices.SortStableFunc(w.out.Tensors, func(a, b *checkpoint.Tensor) int {
		i, iok := rank[a.Key]
		j, jok := rank[b.Key]
		switch {
		case iok && jok:
			return i - j
		case iok:
			return -1
		case jok:
			return 1
		}
		return inOrder(layers, a.Key, b.Key)
	})
	// A tie points to the first of its tensors in the order of the file.
	first := map[*checkpoint.Tensor]*checkpoint.Tensor{}
	for _, t := range w.out.Tensors {
		one := t.Canonical()
		if first[one] == nil {
			first[one] = t
			t.Tied = nil
		} else {
			t.Tied = first[one]
		}
	}
}

// inOrder compares paths part by part: groups of layers by their place in the model,
// others naturally.
func inOrder(layers map[string]int, a, b string) int {
	for i := 0; i < len(a) && i < len(b) && len(layers) > 0; {
		m, n := i+len(first(a[i:])), i+len(first(b[i:]))
		if a[:m] != b[:n] {
			one, ok1 := layers[a[:m]]
			other, ok2 := layers[b[:n]]
			switch {
			case ok1 && ok2:
				return one - other
			case ok1:
				return -1
			case ok2:
				return 1
			}
			break
		}
		i = m + 1
	}
	return naturally(a, b)
}

// first is the first part of a path.
func first(path string) string {
	part, _, _ := strings.Cut(path, "/")
	return part
}

// naturally compares paths part by part; parts that are numbers by their value, and
// before all others.
func naturally(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		if as[i] == bs[i] {
			continue
		}
		m, errA := strconv.Atoi(as[i])
		n, errB := strconv.Atoi(bs[i])
		switch {
		case errA == nil && errB == nil && m != n:
			return cmp.Compare(m, n)
		case (errA == nil) != (errB == nil):
			if errA == nil {
				return -1
			}
			return 1
		}
		return strings.Compare(as[i], bs[i])
	}
	return len(as) - len(bs)
}
