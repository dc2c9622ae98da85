package pickle

import (
	"errors"
	"fmt"
	"math/big"
)

var errEmptyLine = errors.New("it names nothing")

// construct runs the opcodes that name globals and would call them.
func (m *machine) construct(op *Op) error {
	switch op.Code {
	case GlobalOp:
		g := m.global(op.Text, op.Name, op)
		if op.Text == "" || op.Name == "" { // pickle.py has imported the module by then
			return errEmptyLine
		}
		m.push(g)
	case StackGlobal:
		names, err := m.popN(2)
		if err != nil {
			return err
		}
		module, okModule := nameText(names[0])
		name, okName := nameText(names[1])
		if !okModule || !okName {
			if !m.lenient || isPlain(names[0]) || isPlain(names[1]) {
				return fmt.Errorf("module and name are not both text")
			}
			m.res.ComputedNames = append(m.res.ComputedNames, op.Offset)
			m.push(&Object{Callable: None{}, Args: &Tuple{names}, How: op.Code, Offset: op.Offset})
			m.budget -= costObject
			return nil
		}
		m.push(m.global(module, name, op))
	case Reduce:
		callable, args, err := m.popPair()
		if err != nil {
			return err
		}
		if m.compact != nil {
			if c := m.compact(callable, args); c != nil {
				m.budget -= costObject
				m.push(c)
				return nil
			}
		}
		m.object(&Object{Callable: callable, Args: args, How: op.Code, Offset: op.Offset})
	case NewObj:
		callable, args, err := m.popPair()
		if err != nil {
			return err
		}
		m.object(&Object{Callable: callable, Args: args, How: op.Code, Offset: op.Offset})
	case NewObjEx:
		v, err := m.popN(3)
		if err != nil {
			return err
		}
		m.object(&Object{Callable: v[0], Args: v[1], Kwargs: v[2], How: op.Code, Offset: op.Offset})
	case Obj:
		values, err := m.popMark()
		if err != nil {
			return err
		}
		if len(values) == 0 {
			return errUnderflow
		}
		args := m.take(values)
		m.object(&Object{Callable: args[0], Args: &Tuple{args[1:]}, How: op.Code, Offset: op.Offset})
	case Inst:
		g := m.global(op.Text, op.Name, op) // pickle.py imports it before it looks for the mark
		if op.Text == "" || op.Name == "" {
			return errEmptyLine
		}
		values, err := m.popMark()
		if err != nil {
			return err
		}
		args := m.take(values)
		m.use(g)
		m.object(&Object{Callable: g, Args: &Tuple{args}, How: op.Code, Offset: op.Offset})
	case Build:
		return m.build(op)
	default:
		return fmt.Errorf("opcode is not implemented")
	}
	return nil
}

// isPlain reports whether a value is surely not a str: Python fails where one is needed.
func isPlain(v Value) bool {
	switch v := v.(type) {
	case None, bool, int64, *big.Int, Number, float64, *List, *Tuple, *Dict, *Set, *Global, Buffer:
		return true
	case Bytes:
		return !v.Old
	}
	return false
}

// nameText reads a str, also one that Python 2 wrote as bytes.
func nameText(v Value) (string, bool) {
	if b, ok := v.(Bytes); ok && b.Old && b.Data != nil {
		return string(b.Data), true
	}
	s, ok := v.(string)
	return s, ok
}

// build records the state that BUILD would give the object below it. A second one
// adds to the first, as updates of the same __dict__ do.
func (m *machine) build(op *Op) error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch t := whole(target).(type) {
	case *Object:
		if t.State != nil {
			state = &Tuple{[]Value{t.State, state}}
			m.budget -= 64
		}
		t.State = state
		if m.afterBuild != nil {
			at := m.scan.Offset()
			next, err := m.afterBuild(t, at)
			if err != nil {
				return err
			}
			if next < at || next-at > m.scan.left() {
				return fmt.Errorf("the array at byte %d reaches past the end", at)
			}
			m.scan.skip(next - at)
		}
	case *Global:
		// BUILD on a class or module sets its attributes, for the whole process.
		t.Called = true
		m.anomaly("BUILD at byte %d changes %s.%s itself", op.Offset, t.Module, t.Name)
	case *PersID, Extension, *Dict, *List, *Set:
		m.anomaly("BUILD at byte %d on a value that takes no state", op.Offset)
	default:
		if !isNothing(state) {
			return fmt.Errorf("a value of type %s takes no state", kind(target))
		}
	}
	return nil
}

// isNothing reports whether BUILD leaves an object as it is.
func isNothing(state Value) bool {
	if t, ok := state.(*Tuple); ok && len(t.Items) == 2 {
		return t.Items[0] == None{} && t.Items[1] == None{}
	}
	return state == None{}
}
