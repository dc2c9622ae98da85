package torch

import (
	"errors"
	"fmt"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// tensorValue is what a pickled value stands for when it is a tensor: one array,
// named parts of one, or a reason why it cannot be shown.
type tensorValue struct {
	array *array
	parts []part
	omit  string
	// damage is the error that omit is of where that is the file's fault: torch would not load
	// it either.
	damage error
	// whole is the shape of the tensor that this is a part of, nil where that is not known.
	whole []int64
}

// partial reports whether t is a part of a larger tensor.
func (t tensorValue) partial() bool {
	return t.whole != nil && (t.array == nil || !slices.Equal(t.whole, t.array.size))
}

// errDamaged marks what is wrong with the file, not merely unknown to wfs.
type errDamaged struct{ error }

// part is a component of a quantized, sparse or nested tensor.
type part struct {
	name string
	tensorValue
}

// resolver turns pickled values into tensors. It calls nothing: a rebuild
// function is recognised by its name and its arguments are read.
type resolver struct {
	file     segment.Data // the bytes that offsets of lazy pickle payloads refer to
	cache    *deflate.Cache
	resolve  func(storageRef) (storage, error)
	old      func(id pickle.Value) (tensorValue, bool) // tensors of the tar format
	storages map[storageKey]*storage
	numbered []*storage // those whose key is a number, and no view
	makers   map[*pickle.Global]maker
	classes  map[*pickle.Global]storageRef // but for key and count
	numbers  []int64                       // scratch
	shared   []int64                       // size and stride of the last tensor
	seen     map[*pickle.Object]tensorValue
	depth    int // of files nested in _load_from_bytes
	// inventory is the bytes of each storage of the file, by storage.number less one;
	// noStorage where that is of something else.
	inventory []int64
	count     int // of storages, about as many as there are tensors, to make tables of that size
}

// noStorage is in an inventory where no storage is.
const noStorage = -1

// newResolver makes a resolver for a pickle in a file of count storages.
func newResolver(file segment.Data, cache *deflate.Cache, resolve func(storageRef) (storage, error), count int) *resolver {
	return &resolver{
		file: file, cache: cache, resolve: resolve, count: count,
		storages: map[storageKey]*storage{}, seen: map[*pickle.Object]tensorValue{},
		makers: map[*pickle.Global]maker{}, classes: map[*pickle.Global]storageRef{},
	}
}

// maxWraps bounds how deep a tensor is wrapped in others (a Parameter of a
// subclass of a device tensor …).
const maxWraps = 32

// tensor interprets v. ok is false when v is not a tensor.
func (r *resolver) tensor(v pickle.Value) (tensorValue, bool) { return r.unwrap(v, 0) }

func (r *resolver) unwrap(v pickle.Value, level int) (tensorValue, bool) {
	v = whole(v)
	if t, ok := v.(*rebuilt); ok {
		if err := r.open(t.array.storage); err != nil {
			return failed(err), true
		}
		return tensorValue{array: &t.array}, true
	}
	if id, ok := v.(*pickle.PersID); ok && r.old != nil {
		return r.old(id.ID)
	}
	obj, ok := v.(*pickle.Object)
	if !ok {
		return tensorValue{}, false
	}
	if t, ok := r.seen[obj]; ok {
		return t, true
	}
	if level > maxWraps {
		return tensorValue{omit: "tensors are wrapped in one another too deep"}, true
	}
	name, ok := asGlobal(obj.Callable)
	if !ok {
		return tensorValue{}, false
	}
	t, ok, err := r.rebuild(obj, name, level)
	if err != nil {
		t, ok = failed(err), true
	}
	if ok {
		r.seen[obj] = t
	}
	return t, ok
}

// failed is a tensor that cannot be shown.
func failed(err error) tensorValue {
	t := tensorValue{omit: err.Error()}
	if damaged := (errDamaged{}); errors.As(err, &damaged) {
		t.damage = damaged.error
	}
	return t
}

var errArguments = errors.New("its arguments are not those that torch writes")

// rebuild reads the arguments of the function or class name. The argument orders
// are those of torch/_utils.py and torch/_tensor.py.
func (r *resolver) rebuild(obj *pickle.Object, name global, level int) (tensorValue, bool, error) {
	args, _ := items(obj.Args)
	return r.apply(obj, name, args, level)
}

func (r *resolver) apply(obj *pickle.Object, name global, args []pickle.Value, level int) (t tensorValue, ok bool, err error) {
	inner := func(i int) (tensorValue, bool, error) {
		if i >= len(args) {
			return tensorValue{}, true, errArguments
		}
		t, ok := r.unwrap(args[i], level+1)
		if !ok {
			return t, true, errArguments
		}
		return t, true, nil
	}
	switch name {
	case global{"torch._utils", "_rebuild_tensor"}, global{"torch._utils", "_rebuild_tensor_v2"}:
		t, err = r.view(args, 6)
		return t, true, err
	case global{"torch._utils", "_rebuild_tensor_v3"}:
		t, err = r.typedView(args)
		return t, true, err
	case global{"torch._utils", "_rebuild_parameter"}, global{"torch._utils", "_rebuild_parameter_with_state"},
		global{"torch.jit._pickle", "restore_type_tag"}:
		if name.name == "restore_type_tag" && len(args) > 0 {
			if _, ok := r.unwrap(args[0], level+1); !ok {
				return t, false, nil
			}
		}
		return inner(0)
	case global{"torch.nn.parameter", "Parameter"}, global{"torch.nn.parameter", "Buffer"}, global{"torch.autograd.variable", "Variable"}:
		if len(args) > 0 {
			return inner(0)
		}
		return r.setState(obj, checkpoint.Invalid, level)
	case global{"torch.nn.parameter", "UninitializedParameter"}, global{"torch.nn.parameter", "UninitializedBuffer"}:
		return tensorValue{omit: "uninitialized parameter: it has no data"}, true, nil
	case global{"torch._utils", "_rebuild_qtensor"}:
		t, err = r.quantized(args, level)
		return t, true, err
	case global{"torch._utils", "_rebuild_sparse_tensor"}:
		t, err = r.sparse(args, level)
		return t, true, err
	case global{"torch._utils", "_rebuild_nested_tensor"}:
		t, err = r.nested(args, level)
		return t, true, err
	case global{"torch.nested._internal.nested_tensor", "_rebuild_njt"}:
		t, err = r.jagged(args, level)
		return t, true, err
	case global{"torch._utils", "_rebuild_meta_tensor_no_storage"}:
		return tensorValue{omit: "meta tensor: it has no data"}, true, nil
	case global{"torch._utils", "_rebuild_device_tensor_from_numpy"}, global{"torch._utils", "_rebuild_device_tensor_from_cpu_tensor"},
		global{"torch._utils", "_rebuild_xla_tensor"}:
		t, ok, err = inner(0)
		if err == nil && len(args) > 1 {
			t = r.converted(t, args[1])
		}
		return t, ok, err
	case global{"torch._utils", "_rebuild_wrapper_subclass"}:
		t, err = r.wrapped(args, obj.State, level)
		return t, true, err
	case global{"torch._tensor", "_rebuild_from_type_v2"}, global{"torch._tensor", "_rebuild_from_type"}:
		return r.fromType(obj, args, level)
	case global{"copyreg", "_reconstructor"}, global{"copyreg", "__newobj__"}:
		if len(args) == 0 {
			return t, false, nil
		}
		class, ok := asGlobal(args[0])
		if !ok {
			return t, false, nil
		}
		return r.apply(&pickle.Object{Callable: args[0], State: obj.State}, class, nil, level+1)
	case global{"torch.storage", "_load_from_bytes"}:
		t, err = r.fromBytes(args)
		return t, true, err
	}
	if isSharded(name) {
		t, err = r.sharded(obj.State, level)
		return t, true, err
	}
	if a, ok, err := r.numpy(obj, name, args); ok || err != nil {
		return tensorValue{array: a}, true, err
	}
	if d, ok := tensorDType(name); ok && obj.State != nil {
		return r.setState(obj, d, level)
	}
	return t, false, nil
}

// view is (storage, offset, size, stride, requires_grad, hooks[, metadata]); the
// metadata at position meta holds the conj and neg bits (torch/_utils.py, get_tensor_metadata).
func (r *resolver) view(args []pickle.Value, meta int) (tensorValue, error) {
	if len(args) < 4 {
		return tensorValue{}, errArguments
	}
	s, err := r.storage(args[0])
	if err != nil {
		return tensorValue{}, err
	}
	a := &array{storage: s, dtype: s.dtype}
	var ok [3]bool
	a.offset, ok[0] = integer(args[1])
	a.size, ok[1] = integers(args[2])
	a.stride, ok[2] = integers(args[3])
	if ok != [3]bool{true, true, true} || len(a.size) != len(a.stride) {
		return tensorValue{}, errDamaged{errArguments}
	}
	if len(args) > meta {
		a.conj, a.neg = bits(args[meta])
	}
	if n := packedIn(args[0]); n > 1 {
		if err := a.pack(n); err != nil {
			return tensorValue{}, err
		}
	}
	return tensorValue{array: a}, nil
}

// typedView is view with the dtype as seventh argument, over an untyped storage.
func (r *resolver) typedView(args []pickle.Value) (tensorValue, error) {
	if len(args) < 7 {
		return tensorValue{}, errArguments
	}
	t, err := r.view(args, 7)
	if err != nil {
		return t, err
	}
	g, ok := asGlobal(args[6])
	if !ok {
		return t, errArguments
	}
	if t.array.dtype, ok = torchDType(g); !ok {
		return t, fmt.Errorf("dtype %s.%s is not known", g.module, g.name)
	}
	return t, nil
}

// bits reads the conj and neg flags of a tensor's metadata.
func bits(v pickle.Value) (conj, neg bool) {
	list, _ := pairs(v)
	for _, p := range list {
		key, _ := text(p.Key)
		on, _ := p.Value.(bool)
		switch key {
		case "conj":
			conj = on
		case "neg":
			neg = on
		}
	}
	return conj, neg
}
