package audit

import (
	"errors"
	"strings"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// reading is what one pickle was read as.
type reading struct {
	stream   Stream
	payloads []pickle.Payload
	arrays   []int64 // where pickles lie in it that joblib reads with pickle.load
	end      int64
	ops      int64
	err      error
}

const maxListedCodes = 100 // extension codes and computed names of a pickle

// load runs a pickle within the budget.
func (s *scanner) load(data segment.Data, off int64, opt pickle.Options) (*pickle.Result, error) {
	const overhead = 64 // what it costs to begin
	opt.MaxOps = max(1, s.budget.ops)
	res, err := pickle.Load(data, off, data.Size(), opt)
	s.budget.ops = max(0, s.budget.ops-res.Ops-overhead)
	return res, err
}

// read loads one pickle and judges what it names. Its values are gone when it
// returns: nested pickles do not add up in memory.
func (s *scanner) read(data segment.Data, off int64, name string) reading {
	if !s.spend(&s.budget.ops, 1, "opcodes", name) {
		return reading{stream: Stream{Name: name, Offset: off, Globals: []GlobalUse{}, limit: true}, end: off, err: errSpent}
	}
	res, err := s.load(data, off, s.options)
	var arrays []int64
	var classes map[*pickle.Global]int
	switch {
	case errors.Is(err, pickle.ErrCut):
		res, err = s.readBoth(data, off)
	case namesJoblib(res):
		if other := s.readJoblib(data, off); other.err == nil || err != nil && other.res.Ops > res.Ops {
			// What the opcodes are without the wrapper's arrays counts where Python would run them.
			other.res.Globals = append(other.res.Globals, dangerousOf(res.Globals)...)
			if err == nil {
				other.res.Globals = append(other.res.Globals, res.Globals...)
				other.res.Payloads = append(other.res.Payloads, res.Payloads...)
				other.res.Calls = append(other.res.Calls, res.Calls...)
			}
			res, err, arrays, classes = other.res, other.err, other.arrays, other.classes
		}
	}
	r := reading{err: err, arrays: arrays, ops: res.Ops}
	r.stream = Stream{Name: name, Offset: off, Protocol: res.Proto, Globals: []GlobalUse{}}
	st := &r.stream
	for _, a := range res.Anomalies {
		st.note("%s", a)
	}
	if err != nil {
		st.note("%v", err)
		var limit *pickle.LimitError
		st.limit = errors.As(err, &limit) || errors.Is(err, pickle.ErrCut)
		if s.budget.ops > 0 {
			more, end, ops := pickle.ScanGlobals(data, res.End, data.Size(), s.budget.ops)
			s.budget.ops -= ops
			for _, g := range more {
				verdict, _ := Judge(g.Module, g.Name)
				if st.limit || verdict == Dangerous || verdict > Allowed && pickle.IsName(g.Module) {
					res.Globals = append(res.Globals, g)
				}
			}
			res.End = end
		}
	}
	r.end, r.payloads = res.End, res.Payloads
	judged := s.judgeCalls(res, classes, st)
	r.payloads = append(r.payloads, judged.payloads...)
	st.list(res.Globals, judged)
	st.listCodes(res)
	return r
}

var errSpent = errors.New("the budget is used up")

// list judges the globals of a pickle.
func (s *Stream) list(globals []*pickle.Global, judged judgement) {
	seen := make(map[[2]string]bool, len(globals))
	cut := 0
	for _, g := range globals {
		key := [2]string{g.Module, g.Name}
		if seen[key] {
			continue
		}
		seen[key] = true
		verdict, reason := judged.of(g)
		s.Verdict = max(s.Verdict, verdict)
		if pickle.IsName(g.Module) && pickle.IsName(g.Name) {
			s.named, s.called = true, s.called || g.Called
			s.dangerous = s.dangerous || verdict == Dangerous && !strings.Contains(g.Module+g.Name, " ")
		}
		if n := len(s.Globals); n >= maxListed && (verdict < Dangerous || n >= 2*maxListed) {
			cut++
			continue
		}
		s.Globals = append(s.Globals, GlobalUse{
			Module: escape(g.Module, maxName), Name: escape(g.Name, maxName), Offset: g.Offset, Opcode: g.Code.String(),
			Count: max(1, g.Count), Called: g.Called, Verdict: verdict, Reason: reason,
		})
	}
	if cut > 0 {
		s.note("%d more globals are not listed", cut)
	}
}

// listCodes notes what has no name in the pickle.
func (s *Stream) listCodes(res *pickle.Result) {
	for i, code := range res.Extensions {
		s.strange = true
		if i == maxListedCodes {
			s.note("%d more extension codes", len(res.Extensions)-i)
			break
		}
		s.note("extension code %d stands for a global that the reading program registered", code)
	}
	for i, off := range res.ComputedNames {
		s.Verdict = Dangerous
		if i == maxListedCodes {
			s.note("%d more names that are computed", len(res.ComputedNames)-i)
			break
		}
		s.note("the global at byte %d has a name that is computed while the pickle is loaded: it hides what is imported", off)
	}
}

func dangerousOf(globals []*pickle.Global) []*pickle.Global {
	var found []*pickle.Global
	for _, g := range globals {
		if verdict, _ := Judge(g.Module, g.Name); verdict == Dangerous {
			found = append(found, g)
		}
	}
	return found
}

// readBoth loads a pickle whose frames cut arguments in both ways that there are. The
// result has what either names.
func (s *scanner) readBoth(data segment.Data, off int64) (*pickle.Result, error) {
	both := &pickle.Result{}
	for _, frames := range []pickle.Frames{pickle.FramesIgnored, pickle.FramesCut} {
		opt := s.options
		opt.Frames = &frames
		res, err := s.load(data, off, opt)
		if err != nil {
			both.Anomalies = append(both.Anomalies, err.Error())
		}
		both.Proto, both.End, both.Ops = res.Proto, max(both.End, res.End), both.Ops+res.Ops
		both.Globals = append(both.Globals, res.Globals...)
		both.Payloads = append(both.Payloads, res.Payloads...)
		both.Calls = append(both.Calls, res.Calls...)
		both.Extensions = append(both.Extensions, res.Extensions...)
		both.ComputedNames = append(both.ComputedNames, res.ComputedNames...)
		both.Anomalies = append(both.Anomalies, res.Anomalies...)
		both.BytesChanged = both.BytesChanged || res.BytesChanged
	}
	return both, pickle.ErrCut
}
