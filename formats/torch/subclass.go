package torch

import (
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// fromType is (func, type, args, state): func(*args) with the state of a tensor
// subclass put on top. Source: torch/_tensor.py, _rebuild_from_type_v2.
func (r *resolver) fromType(obj *pickle.Object, args []pickle.Value, level int) (tensorValue, bool, error) {
	if len(args) < 3 {
		return tensorValue{}, true, errArguments
	}
	fn, ok := asGlobal(args[0])
	if !ok {
		return tensorValue{}, true, errArguments
	}
	if fn == (global{"torch._utils", "_rebuild_wrapper_subclass"}) {
		state := obj.State
		if len(args) > 3 {
			state = args[3]
		}
		fnArgs, _ := items(args[2])
		t, err := r.wrapped(fnArgs, state, level)
		return t, true, err
	}
	fnArgs, _ := items(args[2])
	t, ok, err := r.apply(&pickle.Object{Callable: args[0], Args: args[2], State: obj.State}, fn, fnArgs, level+1)
	if !ok && err == nil {
		err = fmt.Errorf("it is rebuilt by %s.%s, which wfs does not know", fn.module, fn.name)
	}
	return t, true, err
}

// wrapped finds the data of a wrapper subclass, which is made by (class, dtype, size, …), in
// its attributes. DTensor keeps
// the local shard in _local_tensor (torch/distributed/tensor/_api.py); where the
// attributes hold several tensors (torchao's quantized ones) they are its parts.
func (r *resolver) wrapped(args []pickle.Value, state pickle.Value, level int) (tensorValue, error) {
	if len(args) > 0 {
		if class, _ := asGlobal(args[0]); isSharded(class) {
			return r.sharded(state, level)
		}
	}
	var t tensorValue
	local := false
	stateMembers(&pickle.Object{State: state}, func(name string, v pickle.Value) bool {
		inner, ok := r.unwrap(v, level+1)
		if ok && name == "_local_tensor" {
			t, local = inner, true
			return false
		}
		if ok {
			t.parts = append(t.parts, part{name, inner})
		}
		return true
	})
	if local {
		if len(args) > 2 {
			t.whole, _ = integers(args[2])
		}
		return t, nil
	}
	switch len(t.parts) {
	case 0:
		return tensorValue{omit: "tensor subclass whose data wfs cannot find"}, nil
	case 1:
		return t.parts[0].tensorValue, nil
	}
	return t, nil
}

// setState is what Tensor.__setstate__ takes: (storage, offset, size, stride) of an
// old tensor, or the five fields of an old Variable with its data first.
// Source: torch/_tensor.py, Tensor.__setstate__.
func (r *resolver) setState(obj *pickle.Object, d checkpoint.DType, level int) (tensorValue, bool, error) {
	state, ok := items(obj.State)
	if !ok {
		return tensorValue{}, false, nil
	}
	switch len(state) {
	case 4:
		t, err := r.view(state, 4)
		if err == nil && d != checkpoint.Invalid && t.array.dtype != d {
			err = fmt.Errorf("its class is of %s, its storage of %s", d, t.array.dtype)
		}
		return t, true, err
	case 5:
		t, ok := r.unwrap(state[0], level+1)
		return t, ok, nil
	}
	return tensorValue{}, false, nil
}

// maxNested bounds files inside files.
const maxNested = 8

// fromBytes is torch.storage._load_from_bytes(b): b is a whole torch file, which
// is what a plain pickle.dump of a tensor holds. The file's object is a storage,
// or a tensor. Source: torch/storage.py, _load_from_bytes.
func (r *resolver) fromBytes(args []pickle.Value) (tensorValue, error) {
	if len(args) != 1 {
		return tensorValue{}, errArguments
	}
	if r.depth >= maxNested {
		return tensorValue{}, fmt.Errorf("files are nested more than %d deep", maxNested)
	}
	b, ok := r.payload(args[0])
	if !ok {
		return tensorValue{}, errArguments
	}
	root, inner, _, _, err := load(b, r.cache, nestedOptions, &turn{})
	if err != nil {
		return tensorValue{}, errDamaged{fmt.Errorf("nested file: %w", err)}
	}
	inner.depth = r.depth + 1

	if id, ok := root.(*pickle.PersID); ok {
		s, err := inner.storage(id)
		if err != nil {
			return tensorValue{}, err
		}

		count := s.data.Size() / elemSize(s.dtype)
		return tensorValue{array: &array{storage: s, dtype: s.dtype, size: []int64{count}, stride: []int64{1}}}, nil
	}
	t, ok := inner.tensor(root)
	if !ok {
		return t, fmt.Errorf("nested file holds no tensor")
	}
	return t, nil
}

// payload makes the bytes of a value readable: bytes, a bytearray, or the text
// that protocol 2 writes in their place.
func (r *resolver) payload(v pickle.Value) (segment.Data, bool) {
	switch v := v.(type) {
	case pickle.Bytes:
		if v.Data != nil || v.Len == 0 {
			return segment.Literal(v.Data), true
		}
		return &segment.Range{Src: r.file, Off: v.Off, N: v.Len}, true
	case *pickle.Object:
		name, ok := asGlobal(v.Callable)
		args, _ := items(v.Args)
		if ok && len(args) == 0 && (name == global{"builtins", "bytes"} || name == global{"builtins", "bytearray"}) {
			return segment.Literal(nil), true
		}
		if !ok || len(args) == 0 {
			return nil, false
		}
		switch name {
		case global{"_codecs", "encode"}:
			return r.latin1(args[0])
		case global{"builtins", "bytearray"}, global{"builtins", "bytes"}:
			if _, isText := text(args[0]); isText && len(args) > 1 {
				return r.latin1(args[0])
			}
			return r.payload(args[0])
		}
	}
	return nil, false
}

// latin1 makes the text in v readable as the bytes it stands for.
func (r *resolver) latin1(v pickle.Value) (segment.Data, bool) {
	var in segment.Data
	switch v := v.(type) {
	case string:
		in = segment.Literal(v)
	case pickle.Text:
		in = &segment.Range{Src: r.file, Off: v.Off, N: v.Len}
	default:
		return nil, false
	}
	d, err := pickle.Latin1(in)
	return d, err == nil
}
