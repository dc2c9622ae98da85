package audit

import (
	"fmt"
	"strconv"
	"strings"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// joblib writes an array as an object of NumpyArrayWrapper, and the raw numbers right
// after the BUILD of its state, in the middle of the pickle; its unpickler reads them there
// (joblib/numpy_pickle.py, NumpyArrayWrapper.read_array and NumpyUnpickler.load_build).

// isJoblibWrapper reports whether a value is the class of that wrapper, in joblib or in the
// copy of it that scikit-learn had.
func isJoblibWrapper(v pickle.Value) bool {
	g, ok := v.(*pickle.Global)
	return ok && g.Name == "NumpyArrayWrapper" &&
		(g.Module == "joblib.numpy_pickle" || strings.HasSuffix(g.Module, ".joblib.numpy_pickle"))
}

func namesJoblib(res *pickle.Result) bool {
	for _, g := range res.Globals {
		if isJoblibWrapper(g) {
			return true
		}
	}
	return false
}

type joblibReading struct {
	res    *pickle.Result
	arrays []int64
	// classes is how often a global is the class of a wrapped array.
	classes map[*pickle.Global]int
	err     error
}

// readJoblib loads a pickle as joblib does.
func (s *scanner) readJoblib(data segment.Data, off int64) joblibReading {
	r := joblibReading{classes: map[*pickle.Global]int{}}
	opt := s.options
	opt.AfterBuild = func(o *pickle.Object, at int64) (int64, error) {
		if !isJoblibWrapper(o.Callable) {
			return at, nil
		}
		if class, ok := attribute(o, "subclass"); ok {
			if g, ok := class.(*pickle.Global); ok {
				r.classes[g]++
			}
		}
		size, objects, err := wrappedSize(o)
		switch {
		case err != nil:
			return at, err
		case objects: // pickle.load of what follows
			res, err := s.load(data, at, s.options)
			if err == nil {
				r.arrays = append(r.arrays, at)
			}
			return res.End, err
		}
		if aligned(o) {
			var padding [1]byte
			if err := segment.ReadFull(data, padding[:], at); err != nil {
				return at, err
			}
			at += 1 + int64(padding[0])
		}
		if at > data.Size() || size > data.Size()-at {
			return at, fmt.Errorf("the array after it claims %d bytes, %d are left", size, max(0, data.Size()-at))
		}
		return at + size, nil
	}
	r.res, r.err = s.load(data, off, opt)
	return r
}

// aligned reports whether a byte of padding's length stands before the numbers.
func aligned(o *pickle.Object) bool {
	v, ok := attribute(o, "numpy_array_alignment_bytes")
	return ok && v != pickle.Value(pickle.None{})
}

// attribute is an entry of an object's state.
func attribute(o *pickle.Object, name string) (pickle.Value, bool) {
	state, ok := o.State.(*pickle.Dict)
	if !ok {
		return nil, false
	}
	for _, p := range state.List() {
		if p.Key == pickle.Value(name) {
			return p.Value, true
		}
	}
	return nil, false
}

// errWrapped is an array that wfs cannot step over. What follows it is not known.
func errWrapped() error { return pickle.Limitf("joblib wrote an array here that wfs cannot step over") }

// wrappedSize is how many bytes the wrapped array takes, or that it is an array of objects.
func wrappedSize(o *pickle.Object) (size int64, objects bool, err error) {
	shape, _ := attribute(o, "shape")
	dims, ok := shape.(*pickle.Tuple)
	dtype, _ := attribute(o, "dtype")
	class, isObject := dtype.(*pickle.Object)
	if !ok || !isObject {
		return 0, false, errWrapped()
	}
	item, objects, err := itemSize(class)
	if err != nil || objects {
		return 0, objects, err
	}
	size = item
	for _, d := range dims.Items {
		n, ok := d.(int64)
		if !ok || n < 0 || n > 0 && size > (1<<62)/n {
			return 0, false, errWrapped()
		}
		size *= n
	}
	return size, false, nil
}

// itemSize reads numpy.dtype('f8', False, True) and its state, whose sixth field is the size
// where the type has none of its own, and whose eighth has a bit for objects.
func itemSize(dtype *pickle.Object) (size int64, objects bool, err error) {
	args, ok := dtype.Args.(*pickle.Tuple)
	if !ok || len(args.Items) == 0 {
		return 0, false, errWrapped()
	}
	code, ok := args.Items[0].(string)
	if b, old := args.Items[0].(pickle.Bytes); old {
		code, ok = string(b.Data), true
	}
	code = strings.TrimLeft(code, "<>|=")
	if !ok || len(code) < 2 {
		return 0, false, errWrapped()
	}
	n, err := strconv.ParseInt(code[1:], 10, 32)
	if err != nil || n < 0 {
		return 0, false, errWrapped()
	}
	const hasObject = 1
	state, _ := dtype.State.(*pickle.Tuple)
	if code[0] == 'O' {
		return 0, true, nil
	}
	if state != nil && len(state.Items) > 7 {
		if flags, ok := state.Items[7].(int64); ok && flags&hasObject != 0 {
			return 0, true, nil
		}
	}
	switch code[0] {
	case 'U':
		return 4 * n, false, nil
	case 'b', 'i', 'u', 'f', 'c', 'm', 'M', 'S', 'V':
		return n, false, nil
	}
	return 0, false, errWrapped()
}
