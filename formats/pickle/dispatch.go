package pickle

import (
	"errors"
	"fmt"
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
		return m.put(m.memo.entries)
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
	if m.compact == nil {
		m.payloadText(op)
	}
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
	if m.compact == nil {
		m.payloadBytes(op)
	}
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
	m.budget -= 56
	if m.persID != nil {
		m.persID(p)
	} else {
		m.res.PersIDs = append(m.res.PersIDs, p)
	}
	m.push(p)
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
