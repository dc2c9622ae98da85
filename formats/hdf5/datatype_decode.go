package hdf5

import (
	"fmt"
	"strings"
)

const maxTypeDepth = 16

// datatype decodes the datatype message of an object header.
func (m *metadata) datatype(h *header) (*Datatype, error) {
	msg, err := m.resolve(h.find(messageDatatype))
	if err != nil {
		return nil, err
	}
	return decodeDatatype(msg.cursor("datatype message"), 0)
}

// decodeDatatype decodes one datatype (IV.A.2.d). A type that has no meaning here
// is not an error: it is decoded as far as its size needs.
func decodeDatatype(c *cursor, depth int) (*Datatype, error) {
	if depth > maxTypeDepth {
		return nil, c.errorf("types nested more than %d deep", maxTypeDepth)
	}
	head := c.u8()
	version := head >> 4
	flags := uint32(c.uint(3))
	t := &Datatype{Class: Class(head & 15), Size: uint64(c.u32())}
	if err := c.err(); err != nil {
		return nil, err
	}
	if version < 1 || version > 5 {
		return nil, c.errorf("version %d", version)
	}
	if t.Size == 0 {
		return nil, c.errorf("elements of no bytes")
	}
	var err error
	switch t.Class {
	case ClassFixed, ClassBitfield:
		t.fixed(c, flags)
	case ClassFloat:
		t.float(c, flags)
	case ClassTime:
		c.skip(2)
		t.refuse("time type")
	case ClassString:
		t.Kind, t.padding = KindString, uint8(flags&15)
	case ClassOpaque:
		t.Kind = KindOpaque
		t.Tag, _, _ = strings.Cut(string(c.next(uint64(flags&255))), "\x00")
	case ClassCompound:
		err = t.compound(c, version, int(flags&0xffff), depth)
	case ClassReference:
		t.refuse("reference type")
	case ClassEnum:
		err = t.enum(c, version, int(flags&0xffff), depth)
	case ClassVarLen:
		err = t.varLen(c, flags, depth)
	case ClassArray:
		err = t.array(c, version, depth)
	case ClassComplex:
		err = t.complex(c, depth)
	default:
		return nil, c.errorf("class %d", t.Class)
	}
	if err == nil {
		err = c.err()
	}
	return t, err
}

func order(flags uint32) ByteOrder {
	if flags&1 != 0 {
		return BigEndian
	}
	return LittleEndian
}

func (t *Datatype) fixed(c *cursor, flags uint32) {
	offset, precision := c.u16(), c.u16()
	t.Order, t.Kind = order(flags), KindUint
	if flags&8 != 0 && t.Class == ClassFixed {
		t.Kind = KindInt
	}
	whole := offset == 0 && uint64(precision) == 8*t.Size
	switch {
	case t.Size > 8 || t.Size&(t.Size-1) != 0:
		t.refuse("%ss of %d bytes", t.Class, t.Size)
	case precision == 0 || uint64(offset)+uint64(precision) > 8*t.Size:
		t.refuse("%ss of %d bits at bit %d of %d bytes", t.Class, precision, offset, t.Size)
	case !whole && t.Class == ClassBitfield: // the library converts them to nothing
		t.refuse("bitfields of %d bits at bit %d of %d bytes", precision, offset, t.Size)
	case !whole:
		t.precision, t.offset = uint(precision), uint(offset)
	}
	if t.Size == 1 {
		t.Order = LittleEndian
	}
}

func (t *Datatype) float(c *cursor, flags uint32) {
	const implied = 2 // the mantissa's highest bit is not stored
	offset, precision := c.u16(), c.u16()
	l := float{size: t.Size, sign: uint8(flags >> 8)}
	l.expAt, l.exp, l.mantAt, l.mant, l.bias = c.u8(), c.u8(), c.u8(), c.u8(), c.u32()
	t.Order = order(flags)
	if t.Size == 1 {
		t.Order = LittleEndian
	}
	kind, known := floats[l]
	switch {
	case flags&0x40 != 0:
		t.refuse("floating-point numbers in VAX byte order")
	case !known || flags>>4&3 != implied || offset != 0 || uint64(precision) != 8*t.Size:
		t.refuse("floating-point numbers of %d bytes with %d bits of exponent and %d of mantissa", t.Size, l.exp, l.mant)
	default:
		t.Kind = kind
	}
}

// padded reads a name that versions 1 and 2 pad with NULs to a multiple of eight.
func padded(c *cursor, version uint8) string {
	at := c.pos
	s := c.text()
	if version < 3 {
		c.skip((8 - (c.pos-at)%8) % 8)
	}
	return s
}

// compound recognises one compound: the {r, i} of two equal floats that h5py makes
// of complex numbers.
func (t *Datatype) compound(c *cursor, version uint8, count, depth int) error {
	t.refuse("compound type")
	var names []string
	var parts []*Datatype
	var offsets []uint64
	for range count {
		if name := padded(c, version); len(names) < 3 {
			names = append(names, name)
		}
		var at uint64
		if version < 3 {
			at = uint64(c.u32())
		} else {
			at = c.uint(encodedSize(t.Size))
		}
		dims := uint8(0)
		if version == 1 {
			dims = c.u8()
			c.skip(3 + 4 + 4 + 4*4) // reserved, permutation, reserved, sizes
		}
		part, err := decodeDatatype(c, depth+1)
		if err != nil {
			return err
		}
		if dims != 0 {
			part.refuse("array in a compound type of version 1")
		}
		t.keepTexts(at, part)
		if len(parts) < 3 {
			parts, offsets = append(parts, part), append(offsets, at)
		}
		if err := c.err(); err != nil {
			return err
		}
	}
	if len(parts) == 2 && names[0] == "r" && names[1] == "i" && offsets[0] == 0 {
		re, im := parts[0], parts[1]
		if re.Kind == KindFloat && im.Kind == KindFloat && re.Size == im.Size && re.Order == im.Order &&
			re.Size >= 4 && offsets[1] == re.Size && t.Size == 2*re.Size {
			t.Kind, t.Order, t.Reason = KindComplex, re.Order, ""
			return nil
		}
	}
	if len(names) > 0 {
		t.Reason = fmt.Sprintf("compound type {%s}", strings.Join(names, ", "))
		if count > len(names) {
			t.Reason = strings.TrimSuffix(t.Reason, "}") + ", …}"
		}
	}
	return nil
}

// enum is its base type, or bool where its values are FALSE and TRUE (h5py's
// _hl/base.py and h5t.pyx, py_create).
func (t *Datatype) enum(c *cursor, version uint8, count, depth int) error {
	base, err := decodeDatatype(c, depth+1)
	if err != nil {
		return err
	}
	t.Kind, t.Order, t.Reason = base.Kind, base.Order, base.Reason
	var first, second string
	for i := range count {
		switch name := padded(c, version); i {
		case 0:
			first = name
		case 1:
			second = name
		}
		if err := c.err(); err != nil {
			return err
		}
	}
	values := c.next(uint64(count) * base.Size)
	switch {
	case base.Size != t.Size || base.Class != ClassFixed:
		t.refuse("enumeration of %s", base.Class)
	case base.narrow():
		t.refuse("enumeration of integers of %d bits", base.precision)
	}
	if t.Kind != KindNone && count == 2 && string(values) == "\x00\x01" && first == "FALSE" && second == "TRUE" {
		t.Kind = KindBool
	}
	return nil
}

func (t *Datatype) varLen(c *cursor, flags uint32, depth int) error {
	base, err := decodeDatatype(c, depth+1)
	if err != nil {
		return err
	}
	switch {
	case t.Size != uint64(4+c.f.offsetSize+4):
		t.refuse("variable-length values in %d bytes", t.Size)
	case flags&15 == 1:
		t.Kind, t.padding = KindVarString, uint8(flags>>4&15)
	default:
		t.refuse("variable-length sequences of %s", base.Class)
		t.bytes = base.Class == ClassFixed && base.Size == 1
		t.hidesTexts = !t.bytes && (base.HasTexts() || base.hidesTexts)
	}
	return nil
}

func (t *Datatype) array(c *cursor, version uint8, depth int) error {
	rank := int(c.u8())
	if version < 3 {
		c.skip(3)
	}
	if rank == 0 || rank > maxRank {
		return c.errorf("array of rank %d", rank)
	}
	for range rank {
		t.Dims = append(t.Dims, uint64(c.u32()))
	}
	if version < 3 {
		c.skip(4 * rank) // permutation
	}
	var err error
	if t.Base, err = decodeDatatype(c, depth+1); err != nil {
		return err
	}
	n, ok := product(t.Base.Size, t.Dims)
	if !ok || n != t.Size {
		return c.errorf("array of %d × %d bytes in %d", t.Dims, t.Base.Size, t.Size)
	}
	return nil
}

// complex is the class that HDF5 2.0 brought. Its flags say that both parts are of
// one type and in the rectangular form, the only one there is.
func (t *Datatype) complex(c *cursor, depth int) error {
	base, err := decodeDatatype(c, depth+1)
	if err != nil {
		return err
	}
	if base.Kind != KindFloat || base.Size < 4 || t.Size != 2*base.Size {
		t.refuse("complex numbers of %s of %d bytes", base.Class, base.Size)
		return nil
	}
	t.Kind, t.Order = KindComplex, base.Order
	return nil
}
