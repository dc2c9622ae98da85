package audit

import (
	"errors"
	"fmt"
	"strings"

	"wfs/formats/deflate"
	"wfs/formats/keras"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/torch"
)

const (
	maxContainerNotes = 1000
	// maxDepth bounds how deep files, streams and pickles lie in each other.
	maxDepth = 8
)

// scanner fills the report on one file.
type scanner struct {
	inflated *deflate.Cache
	budget   budget
	options  pickle.Options // of each load
	streams  []Stream
	listed   [3]int   // streams by their verdict
	unlisted int      // pickles that streams has no room for
	notes    []string // on the containers
	unnoted  int
	verdict  Verdict
}

func newScanner(size int64) *scanner {
	s := &scanner{inflated: deflate.NewCache(), budget: newBudget(size), options: pickle.OptionsFor(size)}
	s.options.Lenient = true
	s.options.Watch = watched
	return s
}

// how says by what a scanner comes to look at bytes.
type how int

const (
	asBytes  how = iota // they are there, and may be anything
	asMember            // a member of an archive, or what a stream inflates to
	asPickle            // something would unpickle them, or they are named like a pickle
	asFile              // the file that the user names
)

// note reports an oddity of a container: it makes the file unknown.
func (s *scanner) note(format string, args ...any) {
	s.verdict = max(s.verdict, Unknown)
	text := escape(fmt.Sprintf(format, args...), maxNote)
	if len(s.notes) >= maxContainerNotes || !s.room(len(text)) {
		s.unnoted++
		return
	}
	s.notes = append(s.notes, text)
}

// label is how a place is called in a note; the file itself has no name of its own.
func label(name string) string {
	if name == "" {
		return "pickle"
	}
	return name
}

// place is how what may be no pickle is called in a note.
func place(name string) string {
	if name == "" {
		return "the file"
	}
	return name
}

// below is the name of a member of what is called name.
func below(name, member string) string {
	if name != "" {
		member = name + "/" + member
	}
	return shorten(member)
}

// inside is the name of what is reached through name: a stream, bytes of a pickle.
func inside(name, format string, args ...any) string {
	return shorten(label(name) + ", " + fmt.Sprintf(format, args...))
}

// shorten keeps a label from growing with the depth of what it names.
func shorten(name string) string {
	if len(name) <= maxLabel {
		return name
	}
	const kept = maxLabel/2 - 8
	return strings.ToValidUTF8(name[:kept]+" ... "+name[len(name)-kept:], "?")
}

// look reports on bytes: on every pickle in them, whatever holds it. An error is a
// container that cannot be read; what is known of it by then is in the report.
func (s *scanner) look(data segment.Data, name string, depth int, how how) error {
	if data.Size() == 0 || !s.spend(&s.budget.looks, 1, "places to look at", name) {
		return nil
	}
	if depth > maxDepth {
		s.note("%s: files and pickles are nested more than %d deep: what lies deeper is not looked into", label(name), maxDepth)
		return nil
	}
	head := headOf(data)
	err := s.container(data, head, name, depth, how)
	if isHDF5(data, head, how) {
		err = errors.Join(err, s.hdf5(data, name, depth))
	}
	return err
}

// container reports on bytes by what they begin with.
func (s *scanner) container(data segment.Data, head []byte, name string, depth int, how how) error {
	found := false
	switch {
	case torch.IsZip(head):
		s.atByteZero(data, name, depth)
		return s.zipFile(data, name, depth)
	case torch.IsTar(head):
		s.atByteZero(data, name, depth)
		s.tar(data, name, depth)
		return nil
	case mayBeLegacy(head) && torch.IsLegacy(data):
		s.legacy(data, name, depth)
	case strings.HasPrefix(string(head), numpyMagic):
		s.numpyFile(data, name, depth)
	case how > asBytes && keras.MayBeJSON(head):
		s.configuration(data, name, depth)
	case s.compressed(data, head, name, depth):
		s.atByteZero(data, name, depth)
	default:
		found = s.pickles(data, 0, name, depth, how)
	}
	s.zipAtEnd(data, name, depth, how, found)
	return nil
}

// lookInside is look for what lies in a container: one that cannot be read is noted, and
// does not hide the others.
func (s *scanner) lookInside(data segment.Data, name string, depth int, how how) {
	if err := s.look(data, name, depth, how); err != nil {
		s.note("%s: %v", label(name), err)
	}
}

// mayBeLegacy reports whether bytes could begin the pickle of torch's magic number.
func mayBeLegacy(head []byte) bool {
	return len(head) > 1 && (head[0] == byte(pickle.Proto) || head[0] == byte(pickle.Long) || head[0] == byte(pickle.Int))
}

// headLen is how much of a file tells what it is: the header of a tar.
const headLen = 512

// headOf is the first bytes, by which containers are told apart.
func headOf(data segment.Data) []byte {
	return segment.Head(data, headLen)
}

// found is the number of pickles so far.
func (s *scanner) found() int { return len(s.streams) + s.unlisted }

// Bounds of a report: of what lies past them, the verdict counts.
const (
	maxStreams = 1000   // pickles of a verdict
	maxListed  = 10_000 // globals of a pickle
)

// add lists the report on one pickle.
func (s *scanner) add(st Stream) {
	s.verdict = max(s.verdict, st.Verdict)
	size := len(st.Name)
	for _, a := range st.Anomalies {
		size += len(a)
	}
	const line = 120
	kept := st.Globals[:0:0]
	left := s.budget.text - int64(size) - line
	for _, g := range st.Globals {
		if left -= int64(len(g.Module) + len(g.Name) + line); left < 0 {
			break
		}
		kept = append(kept, g)
	}
	if cut := len(st.Globals) - len(kept); cut > 0 && len(kept) > 0 {
		st.note("%d more globals are not listed", cut)
		st.Globals = kept
		size += line
	}
	if s.listed[st.Verdict] >= maxStreams || left < 0 && len(kept) == 0 || !s.room(size) {
		s.unlisted++
		return
	}
	for _, g := range st.Globals {
		s.budget.text -= int64(len(g.Module) + len(g.Name) + line)
	}
	s.listed[st.Verdict]++
	s.streams = append(s.streams, st)
}

// report is what was found, under the name of the file.
func (s *scanner) report(name string) *Report {
	if s.unlisted > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%d more pickles are not listed: their verdict counts", s.unlisted))
	}
	if s.unnoted > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%d more notes are not listed", s.unnoted))
	}
	return &Report{File: name, Pickles: append([]Stream{}, s.streams...), Container: s.notes, Verdict: s.verdict}
}
