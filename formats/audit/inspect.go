package audit

import (
	"errors"
	"fmt"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// Bounds of a report: of what lies beyond, the verdict counts.
const (
	maxListed      = 10_000 // globals of a pickle
	maxStreams     = 1000   // pickles, of which all names are allowed
	maxFound       = 10_000 // pickles of any kind
	maxNesting     = 8
	maxListedCodes = 1000 // extension codes of a pickle
)

// inspector reports on pickles, on those that stand after them and on those in their bytes.
type inspector struct {
	streams []Stream
	verdict Verdict
	// unlisted is the number of pickles that streams has no room for.
	unlisted int
	// options bound each load.
	options pickle.Options
	// archive, where it is set, is asked first about the bytes in a pickle: it
	// reports on them if they are a file of another format that holds pickles.
	archive func(data segment.Data, name string, depth int) bool
}

// add lists the report on one pickle.
func (in *inspector) add(s Stream) {
	in.verdict = max(in.verdict, s.Verdict)
	if n := len(in.streams); n >= maxFound || n >= maxStreams && s.Verdict == Allowed {
		in.unlisted++
		return
	}
	in.streams = append(in.streams, s)
}

// found is the number of pickles so far.
func (in *inspector) found() int { return len(in.streams) + in.unlisted }

// all reports on the pickle at off and on those that follow it. What follows and
// does not look like a pickle is noted, and searched for one.
func (in *inspector) all(data segment.Data, off int64, name string, depth int) {
	for n := 1; ; n++ {
		label := name
		if n > 1 {
			label = fmt.Sprintf("%s, pickle %d", name, n)
		}
		s, payloads, end := in.read(data, off, label)
		next := end > off && end < data.Size() && n < maxFound && !s.failed
		if next && !pickle.LooksLikePickle(pickle.Head(data, end)) {
			s.note("%d bytes follow the last pickle", data.Size()-end)
		}
		in.add(s)
		in.nested(data, payloads, label, depth)
		if !next {
			return
		}
		if !pickle.LooksLikePickle(pickle.Head(data, end)) {
			in.search(data, end, label+", after its end", depth)
			return
		}
		off = end
	}
}

// one reports on the pickle at off alone, and returns where it ends.
func (in *inspector) one(data segment.Data, off int64, name string, depth int) int64 {
	s, payloads, end := in.read(data, off, name)
	in.add(s)
	in.nested(data, payloads, name, depth)
	return end
}

// search reports on the pickle at off if there is one, whatever it begins with:
// bytes that load up to a STOP and name a global, or name a dangerous one before they
// fail. Other bytes are data, and found is false.
func (in *inspector) search(data segment.Data, off int64, name string, depth int) (found bool) {
	if !pickle.MayName(pickle.Head(data, off)) {
		return false
	}
	s, payloads, end := in.read(data, off, name)
	if !s.convincing() {
		return false
	}
	in.add(s)
	in.nested(data, payloads, name, depth)
	if end < data.Size() {
		in.search(data, end, name+", and after", depth+1)
	}
	return true
}

// convincing says whether bytes that may be anything were a pickle.
func (s *Stream) convincing() bool {
	named := false
	for _, g := range s.Globals {
		if g.Verdict == Dangerous {
			return true
		}
		named = named || pickle.IsName(g.Module) && pickle.IsName(g.Name)
	}
	return !s.failed && named
}

func (s *Stream) note(format string, args ...any) {
	s.Anomalies = append(s.Anomalies, fmt.Sprintf(format, args...))
	s.Verdict = max(s.Verdict, Unknown)
}

// read loads one pickle and judges what it names. Its values are gone when it
// returns: nested pickles do not add up in memory.
func (in *inspector) read(data segment.Data, off int64, name string) (Stream, []pickle.Payload, int64) {
	res, err := pickle.Load(data, off, data.Size(), in.options)
	if errors.Is(err, pickle.ErrCut) {
		res = in.readBoth(data, off)
	}
	s := Stream{Name: name, Offset: off, Protocol: res.Proto, Globals: []GlobalUse{}, failed: err != nil}
	for _, a := range res.Anomalies {
		s.note("%s", a)
	}
	if err != nil {
		s.note("%v", err)
		more, end := pickle.Skim(data, res.End, data.Size())
		for _, g := range more {
			if verdict, _ := Judge(g.Module, g.Name); verdict > Allowed {
				res.Globals = append(res.Globals, g)
			}
		}
		res.End = end
	}
	for i, g := range res.Globals {
		verdict, reason := Judge(g.Module, g.Name)
		s.Verdict = max(s.Verdict, verdict)
		if i < maxListed || verdict == Dangerous && len(s.Globals) < 2*maxListed {
			s.Globals = append(s.Globals, GlobalUse{
				Module: g.Module, Name: g.Name, Offset: g.Offset, Opcode: g.Code.String(), Count: g.Count,
				Called: g.Called, Verdict: verdict, Reason: reason,
			})
		}
	}
	if cut := len(res.Globals) - len(s.Globals); cut > 0 {
		s.note("%d more globals are not listed", cut)
	}
	for i, code := range res.Extensions {
		if i == maxListedCodes {
			s.note("%d more extension codes", len(res.Extensions)-i)
			break
		}
		s.note("extension code %d stands for a global that the reading program registered", code)
	}
	return s, res.Payloads, res.End
}

// readBoth loads a pickle whose frames cut arguments in both ways that there are. The
// result has what either names.
func (in *inspector) readBoth(data segment.Data, off int64) *pickle.Result {
	both := &pickle.Result{}
	for _, frames := range []pickle.Frames{pickle.FramesIgnored, pickle.FramesCut} {
		opt := in.options
		opt.Frames = &frames
		res, err := pickle.Load(data, off, data.Size(), opt)
		if err != nil {
			res.Anomalies = append(res.Anomalies, err.Error())
		}
		both.Proto, both.End = res.Proto, max(both.End, res.End)
		both.Globals = append(both.Globals, res.Globals...)
		both.Payloads = append(both.Payloads, res.Payloads...)
		both.Extensions = append(both.Extensions, res.Extensions...)
		both.Anomalies = append(both.Anomalies, res.Anomalies...)
	}
	return both
}

// nested reports on what a pickle holds as bytes.
func (in *inspector) nested(data segment.Data, payloads []pickle.Payload, name string, depth int) {
	if len(payloads) == 0 {
		return
	}
	if depth >= maxNesting {
		in.add(Stream{Name: name, Globals: []GlobalUse{}, Verdict: Unknown, Anomalies: []string{
			fmt.Sprintf("pickles are nested more than %d deep: what lies deeper is not looked into", maxNesting)}})
		return
	}
	for _, p := range payloads {
		label := fmt.Sprintf("%s, bytes at %d", name, p.Off)
		inner, err := p.Open(data)
		switch {
		case err != nil: // text that stands for no bytes
		case in.archive != nil && in.archive(inner, label, depth+1):
		case p.Certain:
			in.all(inner, 0, label, depth+1)
		default:
			in.search(inner, 0, label, depth+1)
		}
	}
}
