package pickle

import (
	"bytes"
	"errors"
	"fmt"

	"wfs/formats/segment"
)

// Bounds of a report: of what lies beyond, the verdict counts.
const (
	maxListed  = 10_000 // globals of a pickle
	maxStreams = 1000   // pickles, of which all names are allowed
	maxFound   = 10_000 // pickles of any kind
	maxNesting = 8
)

// Inspector reports on pickles, on those that stand behind them and on those in their bytes.
type Inspector struct {
	Streams []Stream
	Verdict Verdict
	// Unlisted is the number of pickles that Streams has no room for.
	Unlisted int
	// Options bound each load.
	Options Options
	// Archive, where it is set, is asked first about the bytes in a pickle: it
	// reports on them if they are a file of another format that holds pickles.
	Archive func(data segment.Data, name string, depth int) bool
}

// Add lists the report on one pickle.
func (in *Inspector) Add(s Stream) {
	in.Verdict = max(in.Verdict, s.Verdict)
	if n := len(in.Streams); n >= maxFound || n >= maxStreams && s.Verdict == Allowed {
		in.Unlisted++
		return
	}
	in.Streams = append(in.Streams, s)
}

// All reports on the pickle at off and on those that follow it. What follows and
// does not look like a pickle is noted, and searched for one.
func (in *Inspector) All(data segment.Data, off int64, name string, depth int) {
	for n := 1; ; n++ {
		label := name
		if n > 1 {
			label = fmt.Sprintf("%s, pickle %d", name, n)
		}
		s, payloads, end := in.read(data, off, label)
		next := end > off && end < data.Size() && n < maxFound && !s.failed
		if next && !LooksLikePickle(headOf(data, end)) {
			s.note("%d bytes follow the last pickle", data.Size()-end)
		}
		in.Add(s)
		in.nested(data, payloads, label, depth)
		if !next {
			return
		}
		if !LooksLikePickle(headOf(data, end)) {
			in.Search(data, end, label+", behind its end", depth)
			return
		}
		off = end
	}
}

// One reports on the pickle at off alone, and returns where it ends.
func (in *Inspector) One(data segment.Data, off int64, name string, depth int) int64 {
	s, payloads, end := in.read(data, off, name)
	in.Add(s)
	in.nested(data, payloads, name, depth)
	return end
}

// Search reports on the pickle at off if there is one, whatever it begins with:
// bytes that load up to a STOP and name a global, or name a dangerous one before they
// fail. Other bytes are data, and found is false.
func (in *Inspector) Search(data segment.Data, off int64, name string, depth int) (found bool) {
	if !begins(headOf(data, off)) {
		return false
	}
	s, payloads, end := in.read(data, off, name)
	if !s.convincing() {
		return false
	}
	in.Add(s)
	in.nested(data, payloads, name, depth)
	if end < data.Size() {
		in.Search(data, end, name+", and behind", depth+1)
	}
	return true
}

// begins says whether bytes could begin a pickle that names something: opcodes up to
// the first that names a global, or as far as the bytes go.
func begins(head []byte) bool {
	s := NewScanner(bytes.NewReader(head), 0, int64(len(head)))
	var op Op
	for {
		if err := s.Next(&op); err != nil {
			return !errors.Is(err, errOpcode)
		}
		switch op.Code {
		case GlobalOp, StackGlobal, Inst, Ext1, Ext2, Ext4:
			return true
		case Stop:
			return false
		}
	}
}

// convincing says whether bytes that may be anything were a pickle.
func (s *Stream) convincing() bool {
	named := false
	for _, g := range s.Globals {
		if g.Verdict == Dangerous {
			return true
		}
		named = named || isName(g.Module) && isName(g.Name)
	}
	return !s.failed && named
}

func (s *Stream) note(format string, args ...any) {
	s.Anomalies = append(s.Anomalies, fmt.Sprintf(format, args...))
	s.Verdict = max(s.Verdict, Unknown)
}

// headOf is the first bytes at off.
func headOf(data segment.Data, off int64) []byte {
	head := make([]byte, headSize)
	n, _ := data.ReadAt(head[:min(int64(len(head)), data.Size()-off)], off)
	return head[:n]
}

// read loads one pickle and judges what it names. Its values are gone when it
// returns: nested pickles do not add up in memory.
func (in *Inspector) read(data segment.Data, off int64, name string) (Stream, []Payload, int64) {
	res, err := Load(data, off, data.Size(), in.Options)
	if errors.Is(err, errCut) {
		res = in.readBoth(data, off)
	}
	s := Stream{Name: name, Offset: off, Protocol: res.Proto, Globals: []GlobalUse{}, failed: err != nil}
	for _, a := range res.Anomalies {
		s.note("%s", a)
	}
	if err != nil {
		s.note("%v", err)
		more, end := skim(data, res.End, data.Size())
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
		if i == maxAnomalies {
			s.note("%d more extension codes", len(res.Extensions)-i)
			break
		}
		s.note("extension code %d stands for a global that the reading program registered", code)
	}
	return s, res.Payloads, res.End
}

// readBoth loads a pickle whose frames cut arguments in both ways that there are. The
// result has what either names.
func (in *Inspector) readBoth(data segment.Data, off int64) *Result {
	both := &Result{}
	for _, frames := range []Frames{FramesIgnored, FramesCut} {
		opt := in.Options
		opt.Frames = &frames
		res, err := Load(data, off, data.Size(), opt)
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
func (in *Inspector) nested(data segment.Data, payloads []Payload, name string, depth int) {
	if len(payloads) == 0 {
		return
	}
	if depth >= maxNesting {
		in.Add(Stream{Name: name, Globals: []GlobalUse{}, Verdict: Unknown, Anomalies: []string{
			fmt.Sprintf("pickles are nested more than %d deep: what lies deeper is not looked into", maxNesting)}})
		return
	}
	for _, p := range payloads {
		label := fmt.Sprintf("%s, bytes at %d", name, p.Off)
		inner, err := p.open(data)
		switch {
		case err != nil: // text that stands for no bytes
		case in.Archive != nil && in.Archive(inner, label, depth+1):
		case p.Certain:
			in.All(inner, 0, label, depth+1)
		default:
			in.Search(inner, 0, label, depth+1)
		}
	}
}

// open makes the payload of a pickle in data readable.
func (p *Payload) open(data segment.Data) (segment.Data, error) {
	var inner segment.Data = &segment.Range{Src: data, Off: p.Off, N: p.Len}
	if p.Data != nil {
		inner = segment.Literal(p.Data)
	}
	if p.Latin1 {
		return Latin1(inner)
	}
	return inner, nil
}
