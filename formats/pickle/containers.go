package pickle

import (
	"fmt"
	"math/big"
)

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
		n := int(op.Code-Tuple1) + 1
		if len(m.stack)-m.fence() < n {
			return true, errUnderflow
		}
		at := len(m.stack) - n
		m.budget -= costValue * int64(n)
		t := newTuple(m.stack[at:])
		m.stack = m.stack[:at]
		m.push(t)
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

// newTuple is a tuple of three values at most, which has them beside it: pickles are full of
// sizes and strides.
func newTuple(values []Value) *Tuple {
	switch len(values) {
	case 1:
		t := &struct {
			Tuple
			room [1]Value
		}{room: [1]Value(values)}
		t.Items = t.room[:]
		return &t.Tuple
	case 2:
		t := &struct {
			Tuple
			room [2]Value
		}{room: [2]Value(values)}
		t.Items = t.room[:]
		return &t.Tuple
	}
	t := &struct {
		Tuple
		room [3]Value
	}{room: [3]Value(values)}
	t.Items = t.room[:]
	return &t.Tuple
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
	switch t := whole(target).(type) {
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
	switch t := whole(target).(type) {
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
		if p.set(values[i], values[i+1]) {
			m.indexed = append(m.indexed, p)
		}
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
