package pickle

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// step runs one opcode.
func (m *machine) step(op *Op) error {
	switch op.Code {
	case Proto:
		if op.Int > highestProtocol {
			return fmt.Errorf("protocol %d is not known", op.Int)
		}
		if op.Offset != m.start {
			m.anomaly("PROTO at byte %d is not the first opcode", op.Offset)
		}
		m.res.Proto = int(op.Int)
	case Frame:
		// A hint for buffering: the C unpickler reads on across a frame's end, but not
		// into a frame that is longer than what is left (Modules/_pickle.c, load_frame).
		if m.lenient && op.Int > m.scan.left() { // pickle.py goes on (_Unframer.load_frame)
			m.anomaly("FRAME at byte %d claims %d bytes, %d are left", op.Offset, op.Int, m.scan.left())
			return nil
		}
		if op.Int < 0 || op.Int > m.scan.left() {
			return fmt.Errorf("claims a frame of %d bytes, %d are left", uint64(op.Int), m.scan.left())
		}
	case Mark:
		m.marks = append(m.marks, len(m.stack))
		m.budget -= costValue
	case Pop:
		if len(m.marks) > 0 && m.fence() == len(m.stack) {
			m.marks = m.marks[:len(m.marks)-1]
			return nil
		}
		v, err := m.pop()
		if o, ok := v.(*Object); ok {
			m.anomaly("the result of the call at byte %d is thrown away", o.Offset)
		}
		return err
	case PopMark:
		_, err := m.popMark()
		return err
	case Dup:
		v, err := m.top()
		if err != nil {
			return err
		}
		m.share(v)
		m.push(v)

	case NoneOp:
		m.push(None{})
	case NewTrue:
		m.push(true)
	case NewFalse:
		m.push(false)
	case Int:
		if op.Bool {
			m.push(op.Int == 1)
			return nil
		}
		m.integer(op)
	case BinInt, BinInt1, BinInt2, Long, Long1, Long4:
		m.integer(op)
	case Float, BinFloat:
		if op.Opaque {
			m.push(Number{op.At, op.Len})
			return nil
		}
		m.push(op.Float)
		m.budget -= 8
	case Unicode, BinUnicode, ShortBinUnicode, BinUnicode8:
		return m.text(op)
	case String, BinString, ShortBinString, BinBytes, ShortBinBytes, BinBytes8, ByteArray8:
		m.bytes(op)
	case NextBuffer:
		m.push(Buffer{})
	case ReadonlyBuffer:
		_, err := m.top()
		return err

	case Put, BinPut, LongBinPut:
		return m.put(op.Int)
	case Memoize:
		return m.put(m.entries)
	case Get, BinGet, LongBinGet:
		return m.get(op.Int)

	case PersIDOp:
		m.persistent(op, op.Text)
	case BinPersID:
		v, err := m.pop()
		if err != nil {
			return err
		}
		m.persistent(op, v)
	case Ext1, Ext2, Ext4:
		if op.Int <= 0 {
			return fmt.Errorf("extension code %d", op.Int)
		}
		m.res.Extensions = append(m.res.Extensions, op.Int)
		m.budget -= 48
		m.push(Extension{op.Int})
	default:
		if done, err := m.container(op); done {
			return err
		}
		return m.construct(op)
	}
	return nil
}

func (m *machine) integer(op *Op) {
	if op.Opaque {
		m.push(Number{op.At, op.Len})
		return
	}
	if op.Big != nil {
		m.push(op.Big)
		m.budget -= int64(len(op.Big.Bits())*8 + 48)
		return
	}
	m.push(op.Int)
	m.budget -= 8
}

func (m *machine) text(op *Op) error {
	m.payloadText(op)
	if !op.Held {
		m.budget -= 32
		if op.Code == Unicode {
			m.push(Line{op.At, op.Len})
			return nil
		}
		m.push(Text{op.At, op.Len})
		return nil
	}
	// The same few words come again and again in files that memoize nothing.
	if v, ok := m.strings[op.Text]; ok {
		m.push(v)
		return nil
	}
	if op.Code != Unicode && !isUTF8(op.Text) {
		return errors.New("the text is not UTF-8")
	}
	var v Value = op.Text
	if len(op.Text) <= 24 && len(m.strings) < 1024 {
		if m.strings == nil {
			m.strings = map[string]Value{}
		}
		m.strings[op.Text] = v
	}
	m.push(v)
	m.budget -= int64(len(op.Text)) + 32
	return nil
}

// isUTF8 accepts what Python's codec does under the error handler "surrogatepass".
func isUTF8(s string) bool {
	for !utf8.ValidString(s) {
		at := strings.IndexByte(s, 0xed) // begins a surrogate: ED A0..BF 80..BF
		if at < 0 || at+2 >= len(s) || !utf8.ValidString(s[:at]) {
			return false
		}
		if s[at+1]&0xc0 != 0x80 || s[at+2]&0xc0 != 0x80 {
			return false
		}
		s = s[at+3:]
	}
	return true
}

func (m *machine) bytes(op *Op) {
	m.payloadBytes(op)
	if op.Code == String && !op.Held {
		m.push(Line{op.At, op.Len})
		m.budget -= 32
		return
	}
	b := Bytes{Off: op.At, Len: op.Len, Array: op.Code == ByteArray8}
	b.Old = op.Code == String || op.Code == BinString || op.Code == ShortBinString
	if op.Held {
		b.Data = []byte(op.Text)
		if op.Code == String { // decoded: the file's bytes are not the string's
			b.Off, b.Len = 0, int64(len(b.Data))
		}
	}
	m.push(b)
	m.budget -= int64(len(b.Data)) + 64
}

func (m *machine) persistent(op *Op, id Value) {
	p := &PersID{ID: id, Offset: op.Offset}
	m.res.PersIDs = append(m.res.PersIDs, p)
	m.budget -= 56
	m.push(p)
}

// container runs the opcodes of lists, tuples, dicts and sets.
func (m *machine) container(op *Op) (done bool, err error) {
	switch op.Code {
	case EmptyList:
		m.push(&List{})
	case EmptyTuple:
		m.push(&Tuple{})
	case EmptyDict:
		m.push(&Dict{})
		m.budget -= 32
	case EmptySet:
		m.push(&Set{})
	case Tuple1, Tuple2, Tuple3:
		items, err := m.popN(int(op.Code-Tuple1) + 1)
		if err != nil {
			return true, err
		}
		m.push(&Tuple{items})
	case TupleOp, ListOp, FrozenSet, DictOp:
		values, err := m.popMark()
		if err != nil {
			return true, err
		}
		return true, m.collect(op.Code, values)
	case Append:
		v, err := m.pop()
		if err != nil {
			return true, err
		}
		return true, m.extend([]Value{v})
	case Appends, AddItems:
		values, err := m.popMark()
		if err != nil {
			return true, err
		}
		return true, m.extend(values)
	case SetItem:
		kv, err := m.popN(2)
		if err != nil {
			return true, err
		}
		return true, m.update(kv)
	case SetItems:
		values, err := m.popMark()
		if err != nil {
			return true, err
		}
		return true, m.update(values)
	default:
		return false, nil
	}
	m.budget -= 32
	return true, nil
}

func (m *machine) collect(code Code, values []Value) error {
	switch code {
	case TupleOp:
		m.push(&Tuple{m.take(values)})
	case ListOp:
		m.push(&List{m.take(values)})
	case FrozenSet:
		m.push(&Set{m.take(values)})
	case DictOp:
		if len(values)%2 != 0 {
			return fmt.Errorf("odd number of items")
		}
		d := &Dict{}
		m.fill(&d.Pairs, values)
		m.push(d)
	}
	m.budget -= 32
	return nil
}

// extend adds values to the list, set or object on top of the stack.
func (m *machine) extend(values []Value) error {
	target, err := m.top()
	if err != nil || len(values) == 0 {
		return err
	}
	m.budget -= costSlot * int64(len(values))
	switch t := target.(type) {
	case *List:
		t.Items = append(t.Items, values...)
	case *Set:
		t.Items = append(t.Items, values...)
	case *Object:
		t.Items = append(t.Items, values...)
	case *PersID, *Global, Extension: // whatever the class does with it
	case Bytes:
		return m.changeBytes(t)
	default:
		return fmt.Errorf("a value of type %s takes no items", kind(target))
	}
	return nil
}

// update sets keys of the dict or object on top of the stack.
func (m *machine) update(values []Value) error {
	if len(values)%2 != 0 {
		return fmt.Errorf("odd number of items")
	}
	target, err := m.top()
	if err != nil || len(values) == 0 {
		return err
	}
	switch t := target.(type) {
	case *Dict:
		m.fill(&t.Pairs, values)
	case *Object:
		m.fill(&t.Pairs, values)
	case *PersID, *Global, Extension:
	case *List: // a list takes items at positions that it has
		return nil
	case Bytes:
		return m.changeBytes(t)
	default:
		return fmt.Errorf("a value of type %s takes no keys", kind(target))
	}
	return nil
}

// changeBytes is for a bytearray that is changed after it was made.
func (m *machine) changeBytes(b Bytes) error {
	if !b.Array || !m.lenient {
		return fmt.Errorf("a value of type bytes takes no items")
	}
	if !m.res.BytesChanged {
		m.anomaly("a bytearray is changed after it was made: what it holds then is not looked into")
	}
	m.res.BytesChanged = true
	return nil
}

func (m *machine) fill(p *Pairs, values []Value) {
	for i := 0; i+1 < len(values); i += 2 {
		m.budget -= costPair + hashCost(values[i])
		if m.budget < 0 {
			return
		}
		p.set(values[i], values[i+1])
	}
}

// longKey is from which length on a key costs its length each time that it is used:
// it is read whole to be found.
const longKey = 256

// hashCost keeps keys of many KiB, used again and again, from taking hours.
func hashCost(key Value) int64 {
	n := 0
	switch k := key.(type) {
	case string:
		n = len(k)
	case Bytes:
		n = len(k.Data)
	case *big.Int:
		n = len(k.Bits()) * 16 // it is copied, too
	case *Tuple:
		total := int64(0)
		for _, item := range k.Items[:min(len(k.Items), len(tupleKey{}))] {
			if _, nested := item.(*Tuple); !nested {
				total += hashCost(item)
			}
		}
		return total
	}
	if n < longKey {
		return 0
	}
	return int64(n)
}

// kind names a value's Python type for messages.
func kind(v Value) string {
	switch v.(type) {
	case None:
		return "None"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case Number:
		return "number"
	case string, Text, Line:
		return "str"
	case Bytes:
		return "bytes"
	case *Tuple:
		return "tuple"
	}
	return fmt.Sprintf("%T", v)
}
