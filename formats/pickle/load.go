package pickle

import "io"

// Options bound a load. The zero value takes the defaults.
type Options struct {
	// MaxMemory is an estimate of what the values may take, in bytes.
	MaxMemory int64
	// MaxOps bounds the opcodes.
	MaxOps int64
	// Frames is FramesRefused where it is not set.
	Frames *Frames
	// Lenient has the machine go on wherever one of Python's unpicklers might, and say so:
	// it is for reports. A reader of values is better off with an error.
	Lenient bool
	// Watch chooses the globals whose calls are listed in Result.Calls, and the calls that
	// have one as their first argument.
	Watch func(module, name string) bool
	// AfterBuild is told of each object that BUILD gives its state, and where the next
	// opcode lies; it returns where reading goes on: some unpicklers step over raw bytes.
	AfterBuild func(o *Object, at int64) (int64, error)
	// Compact, where it is set, is shown what each REDUCE would call, and may return what is
	// to stand for the result in place of an Object; nil for nothing. The pickle is then
	// skimmed for the memo entries that it reads before it is read, and others are not kept:
	// so the arguments of what Compact understood are garbage at once. Nor is anything looked
	// for in bytes and texts: Result.Payloads is empty.
	Compact func(callable, args Value) Compact
	// PersID, where it is set, is told of each persistent id, and Result.PersIDs is empty.
	PersID func(*PersID)
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
	// End is the offset past STOP.
	End   int64
	Proto int
	// Globals is every global the pickle names, by first appearance.
	Globals []*Global
	// PersIDs is every persistent id, in order.
	PersIDs []*PersID
	// Ops is how many opcodes were run.
	Ops int64
	// Calls is the calls of watched globals, and of what is not a global: the result of
	// another call. Of more than maxCalls the rest is in no list.
	Calls []*Object
	// ComputedNames is the offsets of the STACK_GLOBALs whose names are not in the pickle.
	ComputedNames []int64
	// BytesChanged reports whether a bytearray was changed after it was made.
	BytesChanged bool
	// Extensions is the extension codes, in order.
	Extensions []int64
	// Payloads is what may be pickles in its turn, in order: also what the pickle
	// throws away again. Of more than maxPayloads the rest is in no list.
	Payloads []Payload
	// Anomalies is what a well-meant pickle does not do.
	Anomalies []string
}

// Load runs the pickle that begins at off. Nothing at or past end is read.
// On an error the Result still holds the globals seen so far.
func Load(r io.ReaderAt, off, end int64, opt Options) (*Result, error) {
	if opt.MaxMemory == 0 {
		opt.MaxMemory = defaultMemory
	}
	if opt.MaxOps == 0 || opt.MaxOps > maxOps {
		opt.MaxOps = maxOps
	}
	m := &machine{
		lenient: opt.Lenient, maxOps: opt.MaxOps, watch: opt.Watch, afterBuild: opt.AfterBuild,
		scan: NewScanner(r, off, end), res: &Result{Proto: 0},
		globals: map[[2]string]*Global{}, budget: opt.MaxMemory, start: off,
	}
	m.scan.frames = FramesRefused
	if opt.Frames != nil {
		m.scan.frames = *opt.Frames
	}
	m.compact, m.persID = opt.Compact, opt.PersID
	if m.compact != nil && m.afterBuild == nil {
		m.memo.keep(readFetched(r, off, end, m.scan.frames, m.maxOps), &m.budget)
	}
	err := m.run()
	if err != nil {
		m.res.End = m.scan.Offset()
	}
	return m.res, err
}
