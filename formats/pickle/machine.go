// Package pickle reads Python pickles as data. A Scanner reads opcodes within
// bounds; Load runs them on a symbolic machine that records every call and makes
// none; Scan reports what a pickle would import and call.
//
// The machine follows CPython's C unpickler (Modules/_pickle.c) in what it
// accepts. Payloads beyond a few KiB stay in the file: a pickled NumPy array of
// gigabytes costs nothing to load. gopickle's machine is the oracle of the tests
// and not the reader, because it drops what wfs must see (positions, every
// global) and fails on what Python 2 wrote: OrderedDict with arguments, integers of
// no bytes, bytes as keys.
package pickle

import (
	"errors"
	"fmt"
	"io"
)

// Options bound a load. The zero value takes the defaults.
type Options struct {
	// MaxMemory is an estimate of what the values may take, in bytes.
	MaxMemory int64
	// Frames is FramesRefused where it is not set.
	Frames *Frames
}

// defaultMemory leaves room below 512 MiB for the rest of the process, for files below
// fairSize. A larger file may take more by growth for each of its bytes: a state dict
// of a million tensors needs three bytes for each byte of its pickle.
const (
	defaultMemory = 320 << 20
	fairSize      = 100 << 20
	growth        = 4
)

// highestProtocol is the newest protocol there is.
const highestProtocol = 5

// OptionsFor are the bounds for the pickles of a file that has size bytes on disk.
func OptionsFor(size int64) Options {
	return Options{MaxMemory: defaultMemory + growth*min(max(0, size-fairSize), 1<<40)}
}

// Result is a loaded pickle.
type Result struct {
	Value Value
	// End is the offset just behind STOP.
	End   int64
	Proto int
	// Globals is every global the pickle names, by first appearance.
	Globals []*Global
	// PersIDs is every persistent id, in order.
	PersIDs []*PersID
	// Extensions is the extension codes, in order.
	Extensions []int64
	// Payloads is what may be pickles in its turn, in order: also what the pickle
	// throws away again. Of more than maxPayloads the rest is in no list.
	Payloads []Payload
	// Anomalies is what a well-meant pickle does not do.
	Anomalies []string
}

// Load runs the pickle that begins at off. Nothing at or behind end is read.
// On an error the Result still holds the globals seen so far.
func Load(r io.ReaderAt, off, end int64, opt Options) (*Result, error) {
	if opt.MaxMemory == 0 {
		opt.MaxMemory = defaultMemory
	}
	m := &machine{
		scan: NewScanner(r, off, end), res: &Result{Proto: 0},
		globals: map[[2]string]*Global{}, budget: opt.MaxMemory, start: off,
	}
	m.scan.frames = FramesRefused
	if opt.Frames != nil {
		m.scan.frames = *opt.Frames
	}
	err := m.run()
	if err != nil {
		m.res.End = m.scan.Offset()
	}
	return m.res, err
}

type machine struct {
	scan    *Scanner
	res     *Result
	stack   []Value
	marks   []int
	memo    []Value // nil where nothing was put
	sparse  map[int64]Value
	globals map[[2]string]*Global
	strings map[string]Value
	budget  int64
	start   int64
	deepest int              // the stack has been
	entries int64            // of the memo
	shared  map[any]struct{} // containers that were read from the memo
	known   map[any]int      // payloads by their offset, or by their text
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
	errMemory    = errors.New("its values take more memory than wfs allows")
)

// maxOps is more than 512 MiB of the shortest opcodes in their usual mix. Only a
// pickle that is inflated while it is read can have so many in a file of fair size.
const maxOps = 1 << 27

func (m *machine) run() error {
	var op Op
	for n := 0; ; n++ {
		if err := m.scan.Next(&op); err != nil {
			return err
		}
		if n == maxOps {
			return fmt.Errorf("opcode %s at byte %d: wfs reads %d opcodes", op.Code, op.Offset, maxOps)
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

// maxDense is how far beyond its end the memo grows as a slice.
const maxDense = 1 << 12

// put stores the top of the stack in the memo. An index may be anything, so one
// far beyond the others costs no more than itself.
func (m *machine) put(index int64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if index >= int64(len(m.memo))+maxDense {
		if m.sparse == nil {
			m.sparse = map[int64]Value{}
		}
		if m.sparse[index] == nil {
			m.entries++
		}
		m.sparse[index] = v
		m.budget -= costPair
		return nil
	}
	for int64(len(m.memo)) <= index {
		m.memo = append(m.memo, nil)
		m.budget -= costSlot
	}
	if m.memo[index] == nil && m.sparse[index] == nil {
		m.entries++
	}
	m.memo[index] = v
	return nil
}

func (m *machine) get(index int64) error {
	var v Value
	if index < int64(len(m.memo)) {
		v = m.memo[index]
	}
	if v == nil {
		v = m.sparse[index]
	}
	if v == nil {
		return fmt.Errorf("memo has no entry %d", index)
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
		m.globals[key] = g
		m.res.Globals = append(m.res.Globals, g)
		m.budget -= costGlobal + int64(len(module)+len(name))
	}
	g.Count++
	return g
}

// call records that unpickling would call what v is.
func (m *machine) call(v Value) {
	if g, ok := v.(*Global); ok {
		g.Called = true
	}
}

func (m *machine) object(o *Object) {
	m.call(o.Callable)
	m.opens(o)
	m.budget -= costObject
	m.push(o)
}
