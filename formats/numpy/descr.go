package numpy

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
)

// element is what one of an array is.
type element struct {
	descr string // as the header has it, where it is no record
	kind  byte   // NumPy's letter; 0 of a record
	width int64  // bytes
	dtype checkpoint.DType
	swap  int64 // bytes of the numbers in it that are big endian, 0 for none
	// fields are those of a record.
	fields []field
	// shape is that of an element that is an array itself.
	shape []int64
}

// field is one of a record, offset bytes from its beginning.
type field struct {
	name   string
	offset int64
	element
}

// maxRecord is the most bytes of an element: more than any has.
const maxRecord = 1 << 30

// elementOf reads a descr: a type by its name, a list of fields, or a tuple of a descr and a
// shape (_format_impl.py, dtype_to_descr and descr_to_dtype).
func elementOf(descr any) (element, error) {
	switch d := descr.(type) {
	case string:
		return simple(d)
	case tuple:
		if len(d) != 2 {
			return element{}, errDescr
		}
		e, err := elementOf(d[0])
		if err != nil {
			return e, err
		}
		return e.times(d[1])
	case list:
		return record(d)
	}
	return element{}, errDescr
}

var errDescr = errors.New("its header describes no dtype")

// times is an array of elements as an element.
func (e element) times(shape any) (element, error) {
	sizes, err := integers(shape)
	if err != nil {
		return e, err
	}
	count, err := segment.Count(sizes)
	if err != nil {
		return e, err
	}
	hi, width := bits.Mul64(uint64(count), uint64(e.width))
	if hi != 0 || width > maxRecord {
		return e, fmt.Errorf("its elements have more than %d bytes", maxRecord)
	}
	e.shape, e.width = append(sizes, e.shape...), int64(width)
	return e, nil
}

// integers are the sizes of a shape; one size may stand by itself in a field.
func integers(v any) ([]int64, error) {
	if n, ok := v.(int64); ok {
		v = tuple{n}
	}
	t, ok := v.(tuple)
	if !ok || len(t) > maxAxes {
		return nil, errDescr
	}
	sizes := make([]int64, len(t))
	for i, v := range t {
		if sizes[i], ok = v.(int64); !ok {
			return nil, errDescr
		}
	}
	return sizes, nil
}

// record reads fields: (name, descr) or (name, descr, shape). A name may be a pair of a title
// and a name. Padding is a field without a name.
func record(fields list) (element, error) {
	var r element
	names := map[string]bool{}
	for _, f := range fields {
		parts, ok := f.(tuple)
		if !ok || len(parts) < 2 || len(parts) > 3 {
			return r, errDescr
		}
		if pair, titled := parts[0].(tuple); titled && len(pair) == 2 {
			parts[0] = pair[1]
		}
		name, ok := parts[0].(string)
		if !ok {
			return r, errDescr
		}
		e, err := elementOf(parts[1])
		if err == nil && len(parts) == 3 {
			e, err = e.times(parts[2])
		}
		if err != nil {
			return r, err
		}
		if name != "" {
			if names[name] {
				return r, fmt.Errorf("its elements have two fields %.100q", name)
			}
			names[name] = true
			r.fields = append(r.fields, field{name, r.width, e})
		}
		if r.width += e.width; r.width > maxRecord {
			return r, fmt.Errorf("its elements have more than %d bytes", maxRecord)
		}
	}
	return r, nil
}

// simple reads a type by its name: a byte order, a letter and a number of bytes, or, as
// programs write it that know the types of ml_dtypes, a name.
func simple(name string) (element, error) {
	e := element{descr: name}
	for d := range checkpoint.DTypes() {
		if elements, bytes := d.Block(); d.Torch() == name && elements == 1 {
			e.kind, e.dtype, e.width = 'f', d, bytes
			return e, nil
		}
	}
	order, rest := byte('='), name
	if rest != "" && strings.IndexByte("<>=|", rest[0]) >= 0 {
		order, rest = rest[0], rest[1:]
	}
	if rest == "" {
		return e, errDescr
	}
	e.kind = rest[0]
	number, unit, _ := strings.Cut(rest[1:], "[")
	if number == "" && e.kind == 'O' {
		number = "8"
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 || n > maxRecord || unit != "" && e.kind != 'M' && e.kind != 'm' {
		return e, fmt.Errorf("its header has a dtype %.100q that NumPy has not", name)
	}
	e.width = n
	switch e.kind {
	case 'U':
		e.width *= 4
	case 'M', 'm':
		e.dtype = checkpoint.I64
	case 'V':
		e.dtype = voids[n]
	case 'b', 'i', 'u', 'f', 'c':
		for d := range checkpoint.DTypes() {
			if known := d.NumPy(); known != "" && known[1:] == rest {
				e.dtype = d
			}
		}
		if rest == "f1" { // which only ml_dtypes writes, and no other of its types is called so
			e.dtype = checkpoint.F8E5M2
		}
	}
	if e.width > maxRecord {
		return e, fmt.Errorf("its elements have more than %d bytes", maxRecord)
	}
	if of, _ := e.dtype.Parts(); order == '>' && e.kind != 'V' && e.kind != 'S' {
		if _, e.swap = of.Block(); e.swap == 1 {
			e.swap = 0
		}
		if e.dtype == checkpoint.Invalid {
			e.swap = 4 // of U, and of nothing else that is read
		}
	}
	return e, nil
}

// voids are the types that elements of nothing but their size are taken for. Of two bytes they
// are bfloat16: so it is written by JAX (ml_dtypes), by MLX (mlx/io/load.cpp), and by wfs. Of
// one they may be any float8 or int4.
var voids = map[int64]checkpoint.DType{1: checkpoint.U8, 2: checkpoint.BF16}

// objects reports whether an array of such elements is a pickle.
func (e *element) objects() bool {
	for i := range e.fields {
		if e.fields[i].objects() {
			return true
		}
	}
	return e.kind == 'O'
}

// reason is why no tensor can hold such elements, "" where one can.
func (e *element) reason() string {
	switch {
	case e.objects():
		return "array of objects, which are pickled: wfs scan says what loading it would do"
	case e.kind == 'S' || e.kind == 'U':
		return fmt.Sprintf("text (%s), which no tensor file can hold", e.descr)
	case e.width == 0:
		return "its elements have no bytes"
	case e.kind == 'V' || e.fields != nil || e.dtype != checkpoint.Invalid || e.extended():
		return ""
	}
	return fmt.Sprintf("its dtype %.100q is none that wfs reads", e.descr)
}

// extended reports whether elements are floats of more than 64 bits, as the processor has
// them. They are shown as bytes.
func (e *element) extended() bool {
	return e.kind == 'f' && (e.width == 12 || e.width == 16) || e.kind == 'c' && (e.width == 24 || e.width == 32)
}
