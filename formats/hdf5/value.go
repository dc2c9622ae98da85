package hdf5

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// maxText is how many bytes of strings one call returns: far more than a model's
// configuration, far less than references to one long string could multiply to.
const maxText = 256 << 20

// Strings returns the values of a string attribute, in C order; none for a null one.
func (a *Attribute) Strings() ([]string, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.m.strings(&a.Dtype, a.data, a.off)
}

// Value returns the attribute's value: nil for a null dataspace; a bool, int64,
// uint64, float64, complex128, string or, opaque, []byte for a scalar; a slice of
// these in C order for any other shape.
func (a *Attribute) Value() (any, error) {
	if a.Null {
		return nil, nil
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	v, err := a.m.values(&a.Dtype, a.data, a.off)
	if err != nil {
		return nil, fmt.Errorf("attribute %s: %w", a.Name, err)
	}
	if a.Dims != nil {
		return v, nil
	}
	switch v := v.(type) {
	case []bool:
		return v[0], nil
	case []int64:
		return v[0], nil
	case []uint64:
		return v[0], nil
	case []float64:
		return v[0], nil
	case []complex128:
		return v[0], nil
	case []string:
		return v[0], nil
	case [][]byte:
		return v[0], nil
	}
	return v, nil
}

// Strings returns the values of a dataset of strings, in C order. It is for small
// ones: limit is the most bytes that the elements may take in the file.
func (d *Dataset) Strings(limit int64) ([]string, error) {
	b, err := d.readTexts(limit)
	if err != nil {
		return nil, err
	}
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.m.strings(&d.Dtype, b, d.f.offset(d.addr))
}

// strings decodes elements of a string type.
func (m *metadata) strings(t *Datatype, b []byte, off int64) ([]string, error) {
	if t.Kind != KindString && t.Kind != KindVarString {
		return nil, &UnsupportedError{fmt.Sprintf("strings of a type of class %s", t.Class)}
	}
	if t.Size == 0 {
		return nil, &FormatError{off, "strings: elements of no bytes"}
	}
	out := make([]string, 0, uint64(len(b))/t.Size)
	total := 0
	for ; uint64(len(b)) >= t.Size; b = b[t.Size:] {
		s := b[:t.Size]
		if t.Kind == KindVarString {
			var err error
			if s, err = m.varString(&cursor{f: m.f, b: s, off: off, what: "variable-length string"}); err != nil {
				return nil, err
			}
		}
		if total += len(s); total > maxText {
			return nil, &UnsupportedError{fmt.Sprintf("more than %d bytes of strings", maxText)}
		}
		out = append(out, string(t.trim(s)))
	}
	return out, nil
}

// varString fetches the bytes of a variable-length value: a length, and a reference
// into a global heap that is nowhere for an empty one.
func (m *metadata) varString(c *cursor) ([]byte, error) {
	n := uint64(c.u32())
	addr := (&cursor{f: m.f, b: c.b, pos: c.pos}).address()
	if n == 0 || addr == 0 || addr == undefined {
		return nil, c.err()
	}
	s, err := m.globalObject(c)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(s)) {
		return nil, c.errorf("%d bytes of an object of %d", n, len(s))
	}
	return s[:n], nil
}

// trim takes the padding off a string.
func (t *Datatype) trim(s []byte) []byte {
	const spaces, nulls = 2, 1
	switch t.padding {
	case spaces:
		return bytes.TrimRight(s, " ")
	case nulls:
		return bytes.TrimRight(s, "\x00")
	}
	s, _, _ = bytes.Cut(s, []byte{0})
	return s
}

// values decodes all elements in b.
func (m *metadata) values(t *Datatype, b []byte, off int64) (any, error) {
	size := int(t.Size)
	n := 0
	if size > 0 {
		n = len(b) / size
	}
	var order binary.ByteOrder = binary.LittleEndian
	if t.Order == BigEndian {
		order = binary.BigEndian
	}
	bits := func(b []byte) uint64 {
		switch len(b) {
		case 1:
			return uint64(b[0])
		case 2:
			return uint64(order.Uint16(b))
		case 4:
			return uint64(order.Uint32(b))
		}
		return order.Uint64(b)
	}
	each := func(do func(b []byte)) {
		for i := range n {
			do(b[i*size : (i+1)*size])
		}
	}
	switch t.Kind {
	case KindBool:
		v := make([]bool, 0, n)
		each(func(b []byte) { v = append(v, b[0] != 0) })
		return v, nil
	case KindInt:
		v := make([]int64, 0, n)
		shift := 64 - 8*size
		each(func(b []byte) { v = append(v, int64(bits(b)<<shift)>>shift) })
		return v, nil
	case KindUint:
		v := make([]uint64, 0, n)
		each(func(b []byte) { v = append(v, bits(b)) })
		return v, nil
	case KindFloat, KindBFloat16, KindFloat8E4M3, KindFloat8E5M2:
		v := make([]float64, 0, n)
		each(func(b []byte) { v = append(v, t.toFloat(bits(b), size)) })
		return v, nil
	case KindComplex:
		v := make([]complex128, 0, n)
		half := size / 2
		each(func(b []byte) {
			re, im := bits(b[:half]), bits(b[half:])
			if half == 4 {
				v = append(v, complex(float64(math.Float32frombits(uint32(re))), float64(math.Float32frombits(uint32(im)))))
			} else {
				v = append(v, complex(math.Float64frombits(re), math.Float64frombits(im)))
			}
		})
		return v, nil
	case KindOpaque:
		v := make([][]byte, 0, n)
		each(func(b []byte) { v = append(v, bytes.Clone(b)) })
		return v, nil
	case KindString, KindVarString:
		return m.strings(t, b, off)
	}
	return nil, &UnsupportedError{t.Reason}
}

// toFloat widens a number of any of the floating-point kinds.
func (t *Datatype) toFloat(v uint64, size int) float64 {
	switch {
	case t.Kind == KindBFloat16:
		return float64(math.Float32frombits(uint32(v) << 16))
	case t.Kind == KindFloat8E4M3:
		// No infinities: all ones is the only NaN.
		if v&0x7f == 0x7f {
			return math.NaN()
		}
		return small(v, 4, 3, 7)
	case t.Kind == KindFloat8E5M2:
		return ieee(v, 5, 2, 15)
	case size == 2:
		return ieee(v, 5, 10, 15)
	case size == 4:
		return float64(math.Float32frombits(uint32(v)))
	}
	return math.Float64frombits(v)
}

// ieee widens a small number whose greatest exponent means infinity and NaN.
func ieee(v uint64, exp, mant, bias int) float64 {
	sign := 1 - 2*int(v>>(exp+mant)&1)
	if v>>mant&(1<<exp-1) != 1<<exp-1 {
		return small(v, exp, mant, bias)
	}
	if v&(1<<mant-1) != 0 {
		return math.NaN()
	}
	return math.Inf(sign)
}

func small(v uint64, exp, mant, bias int) float64 {
	e, f := int(v>>mant&(1<<exp-1)), float64(v&(1<<mant-1))
	if e == 0 {
		e = 1 // subnormal
	} else {
		f += float64(uint64(1) << mant)
	}
	f = math.Ldexp(f, e-bias-mant)
	if v>>(exp+mant)&1 != 0 {
		return -f
	}
	return f
}
