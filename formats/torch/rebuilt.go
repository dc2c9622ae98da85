package torch

import (
	"slices"

	"wfs/formats/pickle"
)

// rebuilt is a tensor, or a Parameter, as most are: a call with the arguments that torch
// writes. It is read when the pickle is, and stands for the call there: a model of 200 000
// tensors has 400 MB of such calls otherwise, and less than 40 MB of these. Any other call
// stays an Object, which says later what is wrong with it.
type rebuilt struct {
	array  array // whose storage is opened when the tensor is first asked for
	maker  maker
	object *pickle.Object // what the call is since it was given a state
}

// maker is a function that is read while the pickle is.
type maker uint8

const (
	otherMaker maker = iota
	tensorV2         // _rebuild_tensor_v2
	tensorV3         // _rebuild_tensor_v3
	parameter        // _rebuild_parameter
)

var makers = [...]string{tensorV2: "_rebuild_tensor_v2", tensorV3: "_rebuild_tensor_v3", parameter: "_rebuild_parameter"}

func (m maker) global() *pickle.Global {
	return &pickle.Global{Module: "torch._utils", Name: makers[m]}
}

// Object implements pickle.Compact: the tensor as a Parameter of itself, which holds the
// state. Whether the tensor is a Parameter makes no difference to anything.
func (t *rebuilt) Object() *pickle.Object {
	if t.object == nil {
		t.object = &pickle.Object{
			Callable: parameter.global(), How: pickle.ByReduce,
			Args: &pickle.Tuple{Items: []pickle.Value{&rebuilt{array: t.array, maker: t.maker}, false, pickle.None{}}},
		}
	}
	return t.object
}

// whole is v, or the Object that it has become.
func whole(v pickle.Value) pickle.Value {
	if t, ok := v.(*rebuilt); ok && t.object != nil {
		return t.object
	}
	return v
}

// options are opt for the pickle that r resolves.
func (r *resolver) options(opt pickle.Options) pickle.Options {
	opt.Compact, opt.PersID = r.compact, func(*pickle.PersID) {}
	return opt
}

// compact is a pickle.Options.Compact.
func (r *resolver) compact(callable, args pickle.Value) pickle.Compact {
	g, ok := callable.(*pickle.Global)
	if !ok {
		return nil
	}
	by, known := r.makers[g]
	if !known {
		name, _ := asGlobal(g)
		by = maker(max(0, slices.Index(makers[:], name.name)))
		if name.module != "torch._utils" {
			by = otherMaker
		}
		r.makers[g] = by
	}
	list, ok := args.(*pickle.Tuple)
	if by == otherMaker || !ok {
		return nil
	}
	f := list.Items
	if by == parameter { // (data, requires_grad, hooks)
		if len(f) != 3 || !isEmpty(f[2]) {
			return nil
		}
		if of, ok := f[0].(*rebuilt); ok && of.object == nil {
			return &rebuilt{array: of.array, maker: parameter}
		}
		return nil
	}
	// (storage, offset, size, stride, requires_grad, hooks), and the dtype in the third version
	fields := 6
	if by == tensorV3 {
		fields = 7
	}
	if len(f) != fields || !isEmpty(f[5]) {
		return nil
	}
	id, ok := f[0].(*pickle.PersID)
	if !ok || r.old != nil {
		return nil
	}
	ref, err := r.storageID(id.ID)
	if err != nil || ref.packed > 1 {
		return nil
	}
	a := array{storage: r.intern(ref), dtype: ref.dtype}
	if a.offset, ok = integer(f[1]); !ok {
		return nil
	}
	if !r.dims(&a, f[2], f[3]) {
		return nil
	}
	if by == tensorV3 {
		g, ok := asGlobal(f[6])
		if !ok {
			return nil
		}
		if a.dtype, ok = torchDType(g); !ok {
			return nil
		}
	}
	return &rebuilt{array: a, maker: by}
}

// dims reads size and stride. Tensors of one shape, one after the other, share theirs.
func (r *resolver) dims(a *array, size, stride pickle.Value) bool {
	sizes, ok := size.(*pickle.Tuple)
	strides, okStride := stride.(*pickle.Tuple)
	if !ok || !okStride || len(sizes.Items) != len(strides.Items) {
		return false
	}
	n := len(sizes.Items)
	r.numbers = r.numbers[:0]
	for _, list := range [...]*pickle.Tuple{sizes, strides} {
		for _, v := range list.Items {
			i, ok := integer(v)
			if !ok {
				return false
			}
			r.numbers = append(r.numbers, i)
		}
	}
	if !slices.Equal(r.numbers, r.shared) || r.shared == nil {
		r.shared = slices.Clone(r.numbers)
	}
	if a.size, a.stride = r.shared[:n:n], r.shared[n:]; n == 0 {
		a.size, a.stride = []int64{}, []int64{}
	}
	return true
}

// isEmpty reports whether v is an OrderedDict without entries: hooks that there are not.
func isEmpty(v pickle.Value) bool {
	obj, ok := v.(*pickle.Object)
	if !ok || obj.State != nil || len(obj.Items)+len(obj.Pairs.List()) > 0 {
		return false
	}
	args, ok := obj.Args.(*pickle.Tuple)
	g, named := obj.Callable.(*pickle.Global)
	return ok && len(args.Items) == 0 && named && g.Module == "collections" && g.Name == "OrderedDict"
}
