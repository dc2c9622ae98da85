package torch

import (
	"errors"
	"fmt"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// numpyKinds maps the type string of a NumPy dtype to ours.
var numpyKinds = func() map[string]checkpoint.DType {
	kinds := make(map[string]checkpoint.DType)
	for d := checkpoint.BOOL; d <= checkpoint.BC32; d++ {
		if d.NumPy() != "" {
			kinds[d.NumPy()[1:]] = d
		}
	}
	return kinds
}()

// numpy interprets the ways that NumPy pickles an array (numpy/_core/src/multiarray/
// methods.c, array_reduce and array_reduce_ex_picklebuffer):
// _reconstruct(ndarray, (0,), b'b') with the state (version, shape, dtype, is_fortran,
// bytes), and from protocol 5 on _frombuffer(bytes, dtype, shape, order).
func (r *resolver) numpy(obj *pickle.Object, name global, args []pickle.Value) (*array, bool, error) {
	if !strings.HasPrefix(name.module, "numpy.") {
		return nil, false, nil
	}
	var shape []int64
	var dtype, bytes pickle.Value
	var fortran, ok bool
	switch name.name {
	case "_reconstruct":
		state, _ := items(obj.State)
		if len(state) != 5 {
			return nil, false, nil
		}
		if shape, ok = integers(state[1]); !ok {
			return nil, true, errArguments
		}
		dtype, bytes = state[2], state[4]
		fortran, _ = state[3].(bool)
		if n, isInt := integer(state[3]); isInt {
			fortran = n != 0
		}
	case "_mareconstruct": // numpy/ma/core.py
		return nil, true, errors.New("numpy masked array: no tensor file can hold its mask")
	case "_frombuffer":
		if len(args) < 4 {
			return nil, true, errArguments
		}
		if shape, ok = integers(args[2]); !ok {
			return nil, true, errArguments
		}
		order, _ := text(args[3])
		bytes, dtype, fortran = args[0], args[1], order == "F"
	default:
		return nil, false, nil
	}
	d, swap, err := numpyDType(dtype)
	if err != nil {
		return nil, true, err
	}
	data, ok := r.payload(bytes)
	if !ok {
		return nil, true, fmt.Errorf("numpy array whose data is not bytes")
	}
	s := &storage{data: data, dtype: d, id: fmt.Sprintf("numpy %p", obj)}
	if swap && component(d) > 1 {
		s.swap = component(d)
	}
	stride := contiguous(shape)
	if fortran {
		step := int64(1)
		for i := range shape {
			stride[i], step = step, step*max(shape[i], 1)
		}
	}
	return &array{storage: s, dtype: d, size: shape, stride: stride}, true, nil
}

// numpyScalar is numpy.core.multiarray.scalar(dtype, bytes): the number's bytes.
func (r *resolver) numpyScalar(args []pickle.Value) (checkpoint.DType, segment.Data, bool) {
	if len(args) != 2 {
		return checkpoint.Invalid, nil, false
	}
	d, swap, err := numpyDType(args[0])
	if err != nil {
		return d, nil, false
	}
	data, ok := r.payload(args[1])
	if !ok || data.Size() != elemSize(d) {
		return d, nil, false
	}
	if swap {
		data = segment.Swap(data, component(d))
	}
	return d, data, true
}

// numpyDType reads dtype('f4', False, True) with the state (version, byte order, …)
// (numpy/_core/src/multiarray/descriptor.c, arraydescr_reduce). swap says that
// the numbers are big endian.
func numpyDType(v pickle.Value) (d checkpoint.DType, swap bool, err error) {
	obj, ok := v.(*pickle.Object)
	if !ok {
		return d, false, fmt.Errorf("numpy array without a dtype")
	}
	args, _ := items(obj.Args)
	if len(args) == 0 {
		return d, false, fmt.Errorf("numpy array without a dtype")
	}
	kind, _ := text(args[0])
	order := ""
	if state, _ := items(obj.State); len(state) > 1 {
		order, _ = text(state[1])
	}
	if len(kind) > 1 && strings.ContainsAny(kind[:1], "<>=|") {
		order, kind = kind[:1], kind[1:]
	}
	d, ok = numpyKinds[kind]
	if !ok {
		if strings.HasPrefix(kind, "O") {
			return d, false, fmt.Errorf("numpy array of objects")
		}
		return d, false, fmt.Errorf("numpy dtype %q has no counterpart", kind)
	}
	return d, order == ">", nil
}
