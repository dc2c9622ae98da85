package pickle

// argument is how the bytes after an opcode are to be read.
type argument uint8

const (
	none         argument = iota
	uint1                 // one byte
	uint2                 // two bytes, little endian
	int4                  // four bytes, little endian, signed
	uint4                 // four bytes, little endian
	frame                 // eight bytes, a length that is only a hint
	float8                // eight bytes, big endian
	floatLine             // decimal text to the end of the line
	intLine               // decimal text; 00 and 01 are booleans
	longLine              // decimal text, an L may follow
	quotedLine            // a quoted string with Python's escapes
	utf8Line              // raw-unicode-escape text
	indexLine             // decimal text: a memo index
	idLine                // text: a persistent id
	pairOfLines           // module and name
	long1                 // length in one byte, then two's complement, little endian
	long4                 // length in four bytes (signed)
	bytes1                // length in one byte
	bytes4                // length in four bytes
	bytes4signed          // length in four bytes, signed
	bytes8                // length in eight bytes
)

// Code is an opcode.
type Code byte

// The opcodes of protocols 0 to 5 (CPython Lib/pickletools.py, opcodes).
const (
	Mark           Code = '('
	Stop           Code = '.'
	Pop            Code = '0'
	PopMark        Code = '1'
	Dup            Code = '2'
	Float          Code = 'F'
	Int            Code = 'I'
	BinInt         Code = 'J'
	BinInt1        Code = 'K'
	Long           Code = 'L'
	BinInt2        Code = 'M'
	NoneOp         Code = 'N'
	PersIDOp       Code = 'P'
	BinPersID      Code = 'Q'
	Reduce         Code = 'R'
	String         Code = 'S'
	BinString      Code = 'T'
	ShortBinString Code = 'U'
	Unicode        Code = 'V'
	BinUnicode     Code = 'X'
	Append         Code = 'a'
	Build          Code = 'b'
	GlobalOp       Code = 'c'
	DictOp         Code = 'd'
	EmptyDict      Code = '}'
	Appends        Code = 'e'
	Get            Code = 'g'
	BinGet         Code = 'h'
	Inst           Code = 'i'
	LongBinGet     Code = 'j'
	ListOp         Code = 'l'
	EmptyList      Code = ']'
	Obj            Code = 'o'
	Put            Code = 'p'
	BinPut         Code = 'q'
	LongBinPut     Code = 'r'
	SetItem        Code = 's'
	TupleOp        Code = 't'
	EmptyTuple     Code = ')'
	SetItems       Code = 'u'
	BinFloat       Code = 'G'

	Proto         Code = 0x80
	NewObj        Code = 0x81
	Ext1          Code = 0x82
	Ext2          Code = 0x83
	Ext4          Code = 0x84
	Tuple1        Code = 0x85
	Tuple2        Code = 0x86
	Tuple3        Code = 0x87
	NewTrue       Code = 0x88
	NewFalse      Code = 0x89
	Long1         Code = 0x8a
	Long4         Code = 0x8b
	BinBytes      Code = 'B'
	ShortBinBytes Code = 'C'

	ShortBinUnicode Code = 0x8c
	BinUnicode8     Code = 0x8d
	BinBytes8       Code = 0x8e
	EmptySet        Code = 0x8f
	AddItems        Code = 0x90
	FrozenSet       Code = 0x91
	NewObjEx        Code = 0x92
	StackGlobal     Code = 0x93
	Memoize         Code = 0x94
	Frame           Code = 0x95
	ByteArray8      Code = 0x96
	NextBuffer      Code = 0x97
	ReadonlyBuffer  Code = 0x98
)

type opcode struct {
	name string
	arg  argument
}

// opcodes is indexed by Code; no name means that the byte is not an opcode.
var opcodes = [256]opcode{
	Mark: {"MARK", none}, Stop: {"STOP", none}, Pop: {"POP", none}, PopMark: {"POP_MARK", none},
	Dup: {"DUP", none}, Float: {"FLOAT", floatLine}, Int: {"INT", intLine}, BinInt: {"BININT", int4},
	BinInt1: {"BININT1", uint1}, Long: {"LONG", longLine}, BinInt2: {"BININT2", uint2}, NoneOp: {"NONE", none},
	PersIDOp: {"PERSID", idLine}, BinPersID: {"BINPERSID", none}, Reduce: {"REDUCE", none},
	String: {"STRING", quotedLine}, BinString: {"BINSTRING", bytes4signed}, ShortBinString: {"SHORT_BINSTRING", bytes1},
	Unicode: {"UNICODE", utf8Line}, BinUnicode: {"BINUNICODE", bytes4}, Append: {"APPEND", none}, Build: {"BUILD", none},
	GlobalOp: {"GLOBAL", pairOfLines}, DictOp: {"DICT", none}, EmptyDict: {"EMPTY_DICT", none}, Appends: {"APPENDS", none},
	Get: {"GET", indexLine}, BinGet: {"BINGET", uint1}, Inst: {"INST", pairOfLines}, LongBinGet: {"LONG_BINGET", uint4},
	ListOp: {"LIST", none}, EmptyList: {"EMPTY_LIST", none}, Obj: {"OBJ", none}, Put: {"PUT", indexLine},
	BinPut: {"BINPUT", uint1}, LongBinPut: {"LONG_BINPUT", uint4}, SetItem: {"SETITEM", none}, TupleOp: {"TUPLE", none},
	EmptyTuple: {"EMPTY_TUPLE", none}, SetItems: {"SETITEMS", none}, BinFloat: {"BINFLOAT", float8},
	Proto: {"PROTO", uint1}, NewObj: {"NEWOBJ", none}, Ext1: {"EXT1", uint1}, Ext2: {"EXT2", uint2}, Ext4: {"EXT4", int4},
	Tuple1: {"TUPLE1", none}, Tuple2: {"TUPLE2", none}, Tuple3: {"TUPLE3", none}, NewTrue: {"NEWTRUE", none},
	NewFalse: {"NEWFALSE", none}, Long1: {"LONG1", long1}, Long4: {"LONG4", long4}, BinBytes: {"BINBYTES", bytes4},
	ShortBinBytes: {"SHORT_BINBYTES", bytes1}, ShortBinUnicode: {"SHORT_BINUNICODE", bytes1},
	BinUnicode8: {"BINUNICODE8", bytes8}, BinBytes8: {"BINBYTES8", bytes8}, EmptySet: {"EMPTY_SET", none},
	AddItems: {"ADDITEMS", none}, FrozenSet: {"FROZENSET", none}, NewObjEx: {"NEWOBJ_EX", none},
	StackGlobal: {"STACK_GLOBAL", none}, Memoize: {"MEMOIZE", none}, Frame: {"FRAME", frame},
	ByteArray8: {"BYTEARRAY8", bytes8}, NextBuffer: {"NEXT_BUFFER", none}, ReadonlyBuffer: {"READONLY_BUFFER", none},
}

// String is the name that pickletools gives the opcode.
func (c Code) String() string {
	if name := opcodes[c].name; name != "" {
		return name
	}
	return "unknown"
}
