package pickle

import (
	"errors"
	"fmt"
)

type machine struct {
	lenient    bool
	maxOps     int64
	watch      func(module, name string) bool
	afterBuild func(o *Object, at int64) (int64, error)
	compact    func(callable, args Value) Compact
	persID     func(*PersID)

	scan    *Scanner
	res     *Result
	stack   []Value
	marks   []int
	memo    memo
	indexed []*Pairs // whose index goes when the pickle has been read
	globals map[[2]string]*Global
	strings map[string]Value
	budget  int64
	start   int64
	deepest int              // the stack has been
	shared  map[any]struct{} // containers that were read from the memo
	known   map[payloadKey]bool
}

// Estimates of what values take, headers and garbage included.
const (
	costValue  = 24 // in a slice of the right size
	costSlot   = 40 // in a slice that grows: for a moment there are two of them
	costObject = 128
	costPair   = 48
	costGlobal = 1024 // names are judged one by one, and no real pickle has many
)

var (
	errUnderflow = errors.New("the stack is empty")
	errNoMark    = errors.New("there is no MARK")
	errMemory    = &LimitError{"its values take more memory than wfs allows"}
	// ErrMemo is an index that nothing was put under: an unpickler that is used again
	// remembers what the pickle before put there.
	ErrMemo = errors.New("memo has no entry")
)

// maxOps is more than 512 MiB of the shortest opcodes in their usual mix. Only a
// pickle that is inflated while it is read can have so many in a file of fair size.
const maxOps = 1 << 27

func (m *machine) run() error {
	var op Op
	for ; ; m.res.Ops++ {
		if err := m.scan.Next(&op); err != nil {
			return err
		}
		if m.res.Ops == m.maxOps {
			return fmt.Errorf("opcode %s at byte %d: %w", op.Code, op.Offset, Limitf("wfs reads %d opcodes here", m.maxOps))
		}
		if op.Code == Stop {
			break
		}
		if err := m.step(&op); err != nil {
			return fmt.Errorf("opcode %s at byte %d: %w", op.Code, op.Offset, err)
		}
		if m.budget < 0 {
			return fmt.Errorf("opcode %s at byte %d: %w", op.Code, op.Offset, errMemory)
		}
	}
	m.res.End = m.scan.Offset()
	v, err := m.pop()
	if err != nil {
		return fmt.Errorf("opcode STOP at byte %d: %w", op.Offset, err)
	}
	m.res.Value = v
	for _, p := range m.indexed {
		p.index = nil
	}
	if len(m.stack) > 0 {
		m.anomaly("%d values are left on the stack after STOP", len(m.stack))
	}
	m.checkExpansion(v)
	return nil
}

// maxAnomalies bounds the list.
const maxAnomalies = 100

func (m *machine) anomaly(format string, args ...any) {
	if len(m.res.Anomalies) < maxAnomalies {
		m.res.Anomalies = append(m.res.Anomalies, fmt.Sprintf(format, args...))
	}
}

func (m *machine) push(v Value) {
	if g, ok := v.(*Global); ok {
		m.use(g)
	}
	m.stack = append(m.stack, v)
	if len(m.stack) > m.deepest {
		m.deepest++
		m.budget -= costSlot
	}
}

// fence is below which index the stack may not be popped.
func (m *machine) fence() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) pop() (Value, error) {
	n := len(m.stack)
	if n <= m.fence() {
		return nil, errUnderflow
	}
	v := m.stack[n-1]
	m.stack = m.stack[:n-1]
	return v, nil
}

func (m *machine) top() (Value, error) {
	if len(m.stack) <= m.fence() {
		return nil, errUnderflow
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark takes the values down to the last MARK. They are valid until the next push.
func (m *machine) popMark() ([]Value, error) {
	if len(m.marks) == 0 {
		return nil, errNoMark
	}
	at := m.fence()
	m.marks = m.marks[:len(m.marks)-1]
	values := m.stack[at:]
	m.stack = m.stack[:at]
	return values, nil
}

// take copies values off the stack.
func (m *machine) take(values []Value) []Value {
	m.budget -= costValue * int64(len(values))
	return append([]Value(nil), values...)
}

// popPair takes the last two values: the first of them, then the one on top.
func (m *machine) popPair() (below, top Value, err error) {
	n := len(m.stack)
	if n-m.fence() < 2 {
		return nil, nil, errUnderflow
	}
	m.budget -= 2 * costValue
	below, top = m.stack[n-2], m.stack[n-1]
	m.stack = m.stack[:n-2]
	return below, top, nil
}

// popN takes the last n values as a new slice.
func (m *machine) popN(n int) ([]Value, error) {
	if len(m.stack)-m.fence() < n {
		return nil, errUnderflow
	}
	at := len(m.stack) - n
	values := m.take(m.stack[at:])
	m.stack = m.stack[:at]
	return values, nil
}

// put stores the top of the stack in the memo.
func (m *machine) put(index int64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	m.budget -= m.memo.put(index, v)
	return nil
}

func (m *machine) get(index int64) error {
	v, err := m.memo.get(index)
	if err != nil {
		return err
	}
	m.share(v)
	m.push(v)
	return nil
}

// global records that the pickle names module.name.
func (m *machine) global(module, name string, op *Op) *Global {
	key := [2]string{module, name}
	g := m.globals[key]
	if g == nil {
		g = &Global{Module: module, Name: name, Offset: op.Offset, Code: op.Code}
		g.watched = m.watch != nil && m.watch(module, name)
		m.globals[key] = g
		m.res.Globals = append(m.res.Globals, g)
		m.budget -= costGlobal + int64(len(module)+len(name))
	}
	g.Count++
	return g
}

// use counts that a watched global is put where it can be used.
func (m *machine) use(g *Global) {
	if g.watched {
		g.Uses++
	}
}

// maxCalls bounds the calls that are listed.
const maxCalls = 100_000

// isGivenWatched reports whether the first argument of a call is a watched global.
func isGivenWatched(o *Object) bool {
	args, ok := o.Args.(*Tuple)
	if !ok || len(args.Items) == 0 {
		return false
	}
	g, ok := args.Items[0].(*Global)
	return ok && g.watched
}

// object records that unpickling would call what o is made by.
func (m *machine) object(o *Object) {
	g, named := o.Callable.(*Global)
	if named {
		g.Called = true
	}
	if m.watch != nil && (!named || g.watched || isGivenWatched(o)) {
		if len(m.res.Calls) < maxCalls {
			m.res.Calls = append(m.res.Calls, o)
			m.budget -= 16
		} else {
			m.anomaly("more than %d calls need a closer look: the rest is not looked at", maxCalls)
		}
	}
	m.budget -= costObject
	m.push(o)
}
