package pickle

import (
	"math/big"
	"strconv"
)

// Value is what a pickle holds, as data: None, bool, int64, *big.Int, float64,
// string, Text, Line, Number, Bytes, *List, *Tuple, *Dict, *Set, *Global, *Object, *PersID,
// Extension, Buffer, or a Compact. Shared values are shared pointers, and cycles occur.
type Value = any

// None is Python's None.
type None struct{}

// Text is a str too long to be held: Len bytes of UTF-8 at offset Off of the file.
type Text struct{ Off, Len int64 }

// Line is a STRING or UNICODE too long to be held: Len bytes at offset Off, with escapes.
type Line struct{ Off, Len int64 }

// Number is an integer or a float too long to be held.
type Number struct{ Off, Len int64 }

// Bytes is a bytes, a bytearray or a Python 2 str: Len bytes at offset Off of the file.
type Bytes struct {
	Off, Len int64
	// Data is the bytes when they are few, else nil.
	Data []byte
	// Old reports whether a Python 2 wrote it as a str, Array whether it is a bytearray.
	Old, Array bool
}

// List is a list.
type List struct{ Items []Value }

// Tuple is a tuple.
type Tuple struct{ Items []Value }

// Set is a set, or a frozenset.
type Set struct{ Items []Value }

// Dict is a dict in the order of insertion.
type Dict struct{ Pairs }

// Global is a module attribute that the pickle names. It is never looked up.
type Global struct {
	Module, Name string
	// Offset and Code are of the first opcode that names it, Count how many do.
	Offset int64
	Code   Code
	Count  int
	// Called reports whether unpickling would call it.
	Called bool
	// Uses is how often it is put on the stack, if it is watched.
	Uses int

	watched bool
}

// How an Object would be made.
const (
	ByReduce = Reduce
	ByNewObj = NewObj
)

// Object is what a call would return: the call is recorded, never made.
type Object struct {
	// Callable is usually a *Global.
	Callable Value
	Args     Value // usually a *Tuple
	Kwargs   Value // of NEWOBJ_EX
	How      Code  // REDUCE, NEWOBJ, NEWOBJ_EX, OBJ, INST
	Offset   int64
	// State is what BUILD would set, nil for none.
	State Value
	// Items is what APPEND, APPENDS and ADDITEMS would add, Pairs what SETITEM(S) would.
	Items []Value
	Pairs
}

// Compact stands for the Object of a call that Options.Compact understood.
type Compact interface {
	// Object is the call with what BUILD, APPENDS and SETITEMS do to its result. It is the
	// same Object each time, and from the first time on all that counts.
	Object() *Object
}

// whole is v, or the Object that it stands for, which is about to be changed.
func whole(v Value) Value {
	if c, ok := v.(Compact); ok {
		return c.Object()
	}
	return v
}

// PersID is a persistent id: in torch files a reference to a storage.
type PersID struct {
	ID     Value
	Offset int64
}

// Extension is a code of the copyreg extension registry, which is not in the file.
type Extension struct{ Code int64 }

// Buffer stands for an out-of-band buffer, which is not in the file.
type Buffer struct{}

// Pair is an entry of a dict.
type Pair struct{ Key, Value Value }

// Pairs is entries in the order of insertion, with Python's rule for a key that
// is set twice: the first place, the last value.
type Pairs struct {
	list  []Pair
	index *pairIndex // nil for few
}

// pairIndex is the places of keys.
type pairIndex struct {
	text  map[string]int
	other map[any]int
}

// List returns the entries.
func (p *Pairs) List() []Pair { return p.list }

// smallDict is up to how many entries a key is looked for one by one.
const smallDict = 8

// set reports whether it has made an index of what was few entries before.
func (p *Pairs) set(key, value Value) (indexed bool) {
	k := hashable(key)
	if p.index == nil && len(p.list) < smallDict {
		for i := range p.list {
			if hashable(p.list[i].Key) == k {
				p.list[i].Value = value
				return false
			}
		}
		p.list = append(p.list, Pair{key, value})
		return false
	}
	if p.index == nil {
		indexed = true
		p.index = &pairIndex{text: make(map[string]int, 4*smallDict), other: map[any]int{}}
		for i := range p.list {
			p.index.place(hashable(p.list[i].Key), i)
		}
	}
	if i := p.index.place(k, len(p.list)); i < len(p.list) {
		p.list[i].Value = value
		return indexed
	}
	p.list = append(p.list, Pair{key, value})
	return indexed
}

// place is where the entry of a key is, which is at if there was none.
func (x *pairIndex) place(key any, at int) int {
	if s, ok := key.(string); ok {
		if i, known := x.text[s]; known {
			return i
		}
		x.text[s] = at
		return at
	}
	if i, known := x.other[key]; known {
		return i
	}
	x.other[key] = at
	return at
}

// bytesKey, bigKey and tupleKey keep keys of different types apart.
type (
	bytesKey string
	bigKey   string
	tupleKey [4]any
)

// hashable is a comparable stand-in for a key: equal where Python's keys are equal.
// Tuples of more than four values, and objects, are compared by identity.
func hashable(key Value) any {
	switch k := key.(type) {
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case float64:
		if n := int64(k); float64(n) == k {
			return n
		}
	case *big.Int:
		return bigKey(strconv.Itoa(k.Sign()) + string(k.Bytes()))
	case Bytes:
		if k.Data == nil {
			return [2]int64{k.Off, k.Len}
		}
		if k.Old {
			return string(k.Data)
		}
		return bytesKey(k.Data)
	case *Tuple:
		if len(k.Items) > len(tupleKey{}) {
			return k
		}
		var t tupleKey
		for i, item := range k.Items {
			if _, nested := item.(*Tuple); nested {
				return k
			}
			t[i] = hashable(item)
		}
		return t
	}
	return key
}
