package pickle

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// GlobalUse is a global in a report.
type GlobalUse struct {
	Module  string  `json:"module"`
	Name    string  `json:"name"`
	Offset  int64   `json:"offset"` // of the first opcode that names it
	Opcode  string  `json:"opcode"`
	Count   int     `json:"count"`
	Called  bool    `json:"called"` // unpickling would call it
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
}

// Stream is the report on one pickle.
type Stream struct {
	// Name tells where it lies: a record, "pickle 4", or what it is nested in.
	Name      string      `json:"name"`
	Offset    int64       `json:"offset"`
	Protocol  int         `json:"protocol"`
	Globals   []GlobalUse `json:"globals"`
	Anomalies []string    `json:"anomalies,omitempty"`
	Verdict   Verdict     `json:"verdict"`
}

// Bounds of a report: the rest is counted.
const (
	maxListed  = 10_000
	maxNesting = 8
	maxStreams = 1000
)

// LooksLikePickle says whether bytes begin like a pickle that something would
// load: a PROTO of a known protocol, or the opcodes that protocols 0 and 1 begin
// containers and globals with.
func LooksLikePickle(b []byte) bool {
	if len(b) >= 2 && b[0] == byte(Proto) {
		return b[1] <= highestProtocol
	}
	if len(b) < 2 {
		return false
	}
	switch Code(b[0]) {
	case Mark: // (dp0, (lp0, (i__main__
		return strings.IndexByte("dlitc(", b[1]) >= 0 || opcodes[b[1]].name != "" && b[1] < ' '
	case GlobalOp:
		return twoNames(b[1:])
	case EmptyDict, EmptyList, EmptyTuple:
		return b[1] == byte(Stop) || b[1] == byte(BinPut) || b[1] == byte(Put) || b[1] == byte(Mark)
	}
	return false
}

// twoNames says whether b begins with two lines that could be a module and a name.
func twoNames(b []byte) bool {
	for range 2 {
		i := bytes.IndexByte(b, '\n')
		if i < 1 {
			return false
		}
		for _, c := range b[:i] {
			if !(c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
				return false
			}
		}
		b = b[i+1:]
	}
	return true
}

// Scan reports on the pickle at off and on the pickles that it holds as bytes.
// The first Stream is its own. end is where the pickle's next opcode starts, off
// itself when it could not be read.
func Scan(r io.ReaderAt, off, limit int64, name string) (streams []Stream, end int64) {
	return scan(r, off, limit, name, 0)
}

func scan(r io.ReaderAt, off, limit int64, name string, depth int) ([]Stream, int64) {
	res, err := Load(r, off, limit, Options{})
	s := Stream{Name: name, Offset: off, Protocol: res.Proto, Anomalies: res.Anomalies, Globals: []GlobalUse{}}
	if err != nil {
		s.Anomalies = append(s.Anomalies, err.Error())
		s.Verdict = Unknown
	}
	for i, g := range res.Globals {
		verdict, reason := Judge(g.Module, g.Name)
		s.Verdict = max(s.Verdict, verdict)
		if i < maxListed {
			s.Globals = append(s.Globals, GlobalUse{
				Module: g.Module, Name: g.Name, Offset: g.Offset, Opcode: g.Code.String(), Count: g.Count,
				Called: g.Called, Verdict: verdict, Reason: reason,
			})
		}
	}
	if cut := len(res.Globals) - maxListed; cut > 0 {
		s.Anomalies = append(s.Anomalies, fmt.Sprintf("%d more globals are not listed", cut))
	}
	for i, code := range res.Extensions {
		s.Verdict = max(s.Verdict, Unknown)
		if i < maxAnomalies {
			s.Anomalies = append(s.Anomalies, fmt.Sprintf("extension code %d stands for a global that the reading program registered", code))
		}
	}
	streams := []Stream{s}
	if err == nil && depth < maxNesting {
		for _, inner := range nestedPickles(r, res) {
			if len(streams) >= maxStreams {
				break
			}
			label := fmt.Sprintf("%s, bytes at %d", name, inner.Off)
			var src io.ReaderAt = r
			from, to := inner.Off, inner.Off+inner.Len
			if inner.Data != nil {
				src, from, to = bytes.NewReader(inner.Data), 0, int64(len(inner.Data))
			}
			sub, _ := scanAll(src, from, to, label, depth+1)
			streams = append(streams, sub...)
		}
	}
	return streams, res.End
}

// ScanAll reports on pickles that stand one behind the other, and on what
// follows the last one.
func ScanAll(r io.ReaderAt, off, limit int64, name string) []Stream {
	streams, end := scanAll(r, off, limit, name, 0)
	if end < limit {
		last := &streams[len(streams)-1]
		last.Anomalies = append(last.Anomalies, fmt.Sprintf("%d bytes follow the last pickle", limit-end))
	}
	return streams
}

func scanAll(r io.ReaderAt, off, limit int64, name string, depth int) ([]Stream, int64) {
	var streams []Stream
	for n := 1; ; n++ {
		label := name
		if n > 1 {
			label = name + ", pickle " + strconv.Itoa(n)
		}
		sub, end := scan(r, off, limit, label, depth)
		streams = append(streams, sub...)
		if end <= off || end >= limit || len(streams) >= maxStreams {
			return streams, end
		}
		var head [64]byte
		k, _ := r.ReadAt(head[:min(int64(len(head)), limit-end)], end)
		if !LooksLikePickle(head[:k]) {
			return streams, end
		}
		off = end
	}
}

// nestedPickles finds bytes that are pickles, or files of pickles, themselves: the
// argument of _load_from_bytes, and what begins like one.
func nestedPickles(r io.ReaderAt, res *Result) []Bytes {
	var found []Bytes
	Walk(res.Value, func(v Value) {
		b, ok := v.(Bytes)
		if !ok || len(found) >= maxStreams {
			return
		}
		head := b.Data
		if head == nil {
			head = make([]byte, min(64, b.Len))
			n, _ := r.ReadAt(head, b.Off)
			head = head[:n]
		}
		if len(head) >= 2 && head[0] == byte(Proto) && head[1] <= highestProtocol || LooksLikePickle(head) && len(head) > 16 {
			found = append(found, b)
		}
	})
	return found
}

// writeText renders streams line by line, safe for a terminal.
func writeText(w io.Writer, streams []Stream) {
	for _, s := range streams {
		fmt.Fprintf(w, "  %s: protocol %d, %s\n", quote(s.Name), s.Protocol, s.Verdict)
		for _, g := range s.Globals {
			called := "named"
			if g.Called {
				called = "called"
			}
			fmt.Fprintf(w, "    %-9s %s  %s, %s at byte %d", g.Verdict, quote(g.Module+"."+g.Name), called, g.Opcode, g.Offset)
			if g.Count > 1 {
				fmt.Fprintf(w, ", %d times", g.Count)
			}
			if g.Reason != "" && g.Verdict == Dangerous {
				fmt.Fprintf(w, ": it %s", g.Reason)
			}
			fmt.Fprintln(w)
		}
		for _, a := range s.Anomalies {
			fmt.Fprintf(w, "    note      %s\n", quote(a))
		}
	}
}

// quote escapes what a terminal would obey.
func quote(s string) string {
	q := strconv.Quote(s)
	if q[1:len(q)-1] == s || strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`) == s {
		return s
	}
	return q
}
