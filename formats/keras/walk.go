package keras

import (
	"fmt"
	"slices"

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

func (w *walker) omit(path, reason string) {
	w.out.Omitted = append(w.out.Omitted, checkpoint.Omitted{Key: path, Reason: reason})
}

// dataset adds one. All links to it are one inode.
func (w *walker) dataset(path string, d *hdf5.Dataset) {
	dtype, reason := dtypeOf(d)
	dims := d.Dims
	what, void := "", int64(0)
	if dtype == checkpoint.Invalid && d.Dtype.Kind == hdf5.KindOpaque {
		// No dtype has elements of any bytes: the bytes are one dimension more, but in .npy,
		// where they are void as h5py has them.
		what, dtype, reason = reason, checkpoint.U8, ""
		dims = append(slices.Clone(dims), d.Dtype.Size)
		void = int64(d.Dtype.Size)
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
	t := &checkpoint.Tensor{Key: path, DType: dtype, Shape: shape, Void: void, Tied: w.byAddress[d.Address()]}
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
