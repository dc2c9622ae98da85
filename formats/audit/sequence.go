package audit

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// pickles reports on the pickle at off and on those that follow it, as they do in a file
// of several pickle.dump. It reports whether there are any: bytes that read as opcodes and
// name nothing are data, unless how or their beginning says that they are a pickle.
func (s *scanner) pickles(data segment.Data, off int64, name string, depth int, how how) (found bool) {
	last := int64(-1) // where the last pickle ended that is in the report
	for n := 1; off < data.Size(); n++ {
		head := pickle.Head(data, off)
		strong := pickle.LooksLikePickle(head) && (how == asFile || how == asPickle || n == 1 || last == off)
		forced := how == asPickle && n == 1
		if !strong && !forced {
			guess, end := pickle.GuessAt(string(head), data.Size()-off)
			if guess == pickle.NotPickle {
				break
			}
			if guess == pickle.Plain { // a value that names nothing: the next pickle.load begins after it
				if !s.spend(&s.budget.ops, int64(end), "opcodes", name) {
					break
				}
				off += int64(end)
				continue
			}
		}
		title := label(name)
		if n > 1 {
			title = inside(name, "pickle %d", n)
		}
		r := s.read(data, off, title)
		if errors.Is(r.err, pickle.ErrMemo) && n > 1 { // an unpickler that is used again has it
			r.stream.limit = true
		}
		named := how == asFile && strong && !(head[0] == byte(pickle.GlobalOp) && isText(head))
		if !forced && !named && !r.convincing(strong, head) {
			if r.err != nil || r.end <= off {
				break
			}
			s.payloads(data, r.payloads, title, depth)
			off = r.end
			continue
		}
		found = true
		last = r.end
		if !s.followed(data, r) {
			r.stream.note("%d bytes follow the last pickle", data.Size()-r.end)
		}
		s.add(r.stream)
		s.payloads(data, r.payloads, title, depth)
		for _, at := range r.arrays {
			s.one(data, at, inside(name, "array of objects at %d", at), depth+1)
		}
		if r.err != nil || r.end <= off {
			break
		}
		off = r.end
	}
	return found
}

// followed reports whether another pickle follows one, or nothing.
func (s *scanner) followed(data segment.Data, r reading) bool {
	if r.err != nil || r.end >= data.Size() {
		return true
	}
	head := pickle.Head(data, r.end)
	if pickle.LooksLikePickle(head) {
		return true
	}
	guess, _ := pickle.GuessAt(string(head), data.Size()-r.end)
	return guess == pickle.Names || guess == pickle.Plain
}

// one reports on the pickle at off alone, and returns where it ends.
func (s *scanner) one(data segment.Data, off int64, name string, depth int) int64 {
	if depth > maxDepth {
		s.note("%s: files and pickles are nested more than %d deep: what lies deeper is not looked into", name, maxDepth)
		return off
	}
	r := s.read(data, off, name)
	s.add(r.stream)
	s.payloads(data, r.payloads, name, depth)
	return r.end
}

// atByteZero reports on a container whose first bytes run as a pickle: pickle.load does not
// ask what a file is. What only names what is allowed is not worth a line.
func (s *scanner) atByteZero(data segment.Data, name string, depth int) {
	head := pickle.Head(data, 0)
	if guess, _ := pickle.GuessAt(string(head), data.Size()); guess == pickle.NotPickle {
		return
	}
	before := *s
	s.pickles(data, 0, inside(name, "from byte 0"), depth, asBytes)
	if s.verdict == before.verdict && s.verdict < Dangerous {
		spent := s.budget
		*s = before
		s.budget.ops, s.budget.inflated, s.budget.looks = spent.ops, spent.inflated, spent.looks
	}
}

// convincing reports whether bytes that may be anything were a pickle. strong reports
// whether they begin like one.
func (r *reading) convincing(strong bool, head []byte) bool {
	const soon = 256
	st := &r.stream
	words := r.err != nil && !st.limit && !st.called && isText(head)
	switch {
	case words: // a text begins as GLOBAL does: it is an import only if it names something that there is
		return st.dangerous
	case st.limit, st.Verdict == Dangerous, st.called:
		return true
	case r.err == nil:
		return strong || st.named || st.strange
	case st.named:
		return true
	}
	return strong && r.end-st.Offset > soon
}

// isText reports whether bytes are text that people write.
func isText(head []byte) bool {
	for i := 0; i < len(head); {
		c, n := utf8.DecodeRune(head[i:])
		if c == utf8.RuneError && n == 1 && i+utf8.UTFMax < len(head) || !unicode.IsPrint(c) && !unicode.IsSpace(c) {
			return false
		}
		i += n
	}
	return true
}

// payloads reports on what a pickle holds as bytes or text.
func (s *scanner) payloads(data segment.Data, payloads []pickle.Payload, name string, depth int) {
	bare := map[int64]bool{}
	for i := range payloads {
		p := &payloads[i]
		title := inside(name, "bytes at %d", p.Off)
		if p.Encoding != pickle.Bare && !s.spend(&s.budget.inflated, p.Len+int64(len(p.Data)), "decoding", title) {
			return
		}
		inner, err := p.Open(data)
		var limit *pickle.LimitError
		switch {
		case errors.As(err, &limit):
			s.note("%s: %v: it is not looked into", title, err)
		case err != nil: // text that stands for no bytes
		case p.Encoding == pickle.AsLatin1 && p.Data == nil && bare[p.Off] && inner.Size() == p.Len: // ASCII: the same bytes
		case p.Certain:
			s.lookInside(inner, title, depth+1, asPickle)
		default:
			s.lookInside(inner, title, depth+1, asBytes)
		}
		bare[p.Off] = bare[p.Off] || p.Encoding == pickle.Bare && p.Data == nil
		if s.budget.looks == 0 {
			return
		}
	}
}

// note is an oddity of a pickle: it makes it unknown.
func (s *Stream) note(format string, args ...any) {
	s.Anomalies = append(s.Anomalies, escape(fmt.Sprintf(format, args...), maxNote))
	s.Verdict = max(s.Verdict, Unknown)
}
