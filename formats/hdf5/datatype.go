package hdf5

import "fmt"

// Class is the class of a datatype, numbered as in the file (IV.A.2.d).
type Class uint8

// Classes of datatypes.
const (
	ClassFixed Class = iota
	ClassFloat
	ClassTime
	ClassString
	ClassBitfield
	ClassOpaque
	ClassCompound
	ClassReference
	ClassEnum
	ClassVarLen
	ClassArray
	ClassComplex
)

var classNames = [...]string{
	"integer", "floating-point", "time", "string", "bitfield", "opaque", "compound",
	"reference", "enumeration", "variable-length", "array", "complex",
}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// Kind says what the bytes of an element mean, whatever class expresses it.
type Kind uint8

// Kinds of elements. The size and the byte order are in the Datatype.
const (
	KindNone       Kind = iota // see Datatype.Reason
	KindInt                    // two's complement; enumerations other than bool too
	KindUint                   // bitfields too, as h5py has them
	KindFloat                  // IEEE 754: 2, 4 or 8 bytes
	KindBFloat16               // 8 bits of exponent, 7 of mantissa
	KindFloat8E4M3             //
	KindFloat8E5M2             //
	KindBool                   // one byte: 0 or 1, as h5py writes booleans
	KindComplex                // two floats, real part first: 8 or 16 bytes in all
	KindOpaque                 // bytes; see Datatype.Tag
	KindString                 // fixed length
	KindVarString              // a reference into a global heap: see Strings
)

// ByteOrder is the order of the bytes of one number in the file.
type ByteOrder uint8

// Byte orders. Types of single bytes are little-endian.
const (
	LittleEndian ByteOrder = iota
	BigEndian
)

// Datatype says what an element is.
type Datatype struct {
	Class Class
	// Kind is KindNone where no meaning is given to the bytes; Reason says why.
	Kind   Kind
	Reason string
	// Size is the number of bytes of one element in the file.
	Size  uint64
	Order ByteOrder
	// Tag is an opaque type's description.
	Tag string
	// Dims are the dimensions of an array type and Base its element; for all other
	// types they are nil.
	Dims []uint64
	Base *Datatype

	texts      []member // of a compound, those that hold bytes or texts
	hidesTexts bool     // there are others, which Texts does not give
	bytes      bool     // a variable-length sequence of single bytes

	precision, offset uint // of narrow integers, in bits; zero for all others

	padding uint8 // of strings: 0 ends in NUL, 1 padded with NUL, 2 with spaces
}

// member is a part of a compound type.
type member struct {
	at uint64
	t  *Datatype
}

// Signed reports whether integers are.
func (t *Datatype) Signed() bool { return t.Kind == KindInt }

// element strips array types: their dimensions are appended to dims.
func (t *Datatype) element(dims []uint64) (*Datatype, []uint64) {
	for t.Class == ClassArray {
		dims = append(dims[:len(dims):len(dims)], t.Dims...)
		t = t.Base
	}
	return t, dims
}

// refuse gives a type no meaning.
func (t *Datatype) refuse(format string, args ...any) {
	t.Kind, t.Reason = KindNone, fmt.Sprintf(format, args...)
}

// float is where the parts of a floating-point number lie, in bits.
type float struct {
	size                           uint64 // bytes
	sign, expAt, exp, mantAt, mant uint8
	bias                           uint32
}

// floats are the layouts that have a name. Those of one byte are as the 8-bit
// formats of the Open Compute Project; HDF5 2.0 predefines them (H5T_FLOAT_F8E4M3).
var floats = map[float]Kind{
	{2, 15, 10, 5, 0, 10, 15}:    KindFloat,
	{4, 31, 23, 8, 0, 23, 127}:   KindFloat,
	{8, 63, 52, 11, 0, 52, 1023}: KindFloat,
	{2, 15, 7, 8, 0, 7, 127}:     KindBFloat16,
	{1, 7, 3, 4, 0, 3, 7}:        KindFloat8E4M3,
	{1, 7, 2, 5, 0, 2, 15}:       KindFloat8E5M2,
}
