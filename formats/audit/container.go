package audit

import (
	"fmt"
	"strings"

	"wfs/formats/deflate"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/torch"
	"wfs/formats/zip"
)

const (
	maxContainerNotes = 1000
	maxNestedArchives = 8
)

// scanner fills a report.
type scanner struct {
	inflated *deflate.Cache
	in       inspector
	notes    []string // on the containers
	verdict  Verdict
}

// note reports an oddity of a container: it makes the file unknown.
func (s *scanner) note(format string, args ...any) {
	s.verdict = max(s.verdict, Unknown)
	if len(s.notes) < maxContainerNotes {
		s.notes = append(s.notes, fmt.Sprintf(format, args...))
	}
}

// nested reports on bytes in a pickle if they are a file of pickles.
func (s *scanner) nested(data segment.Data, name string, depth int) bool {
	head := headOf(data)
	switch {
	case strings.HasPrefix(string(head), zip.Magic):
	case torch.IsTar(head):
	case len(head) > 1 && head[0] == byte(pickle.Proto) && torch.IsLegacy(data):
	default:
		return false
	}
	if err := s.file(data, name+"/", depth); err != nil {
		s.note("%s: %v", name, err)
	}
	return true
}

// file reports on a file; path stands before the names of what is in it.
func (s *scanner) file(file segment.Data, path string, depth int) error {
	label := strings.TrimSuffix(path, "/")
	if label == "" {
		label = "pickle"
	}
	head := headOf(file)
	switch {
	case depth > maxNestedArchives:
		s.note("%s: files are nested more than %d deep: what lies deeper is not looked into", label, maxNestedArchives)
	case torch.IsZip(head):
		return s.zip(file, path, depth)
	case torch.IsTar(head):
		s.tar(file, path, depth)
	case torch.IsLegacy(file):
		s.legacy(file, label, depth)
	default:
		s.plain(file, label, true, depth)
	}
	return nil
}

// plain reports on a file, or on a member of one, that is no container.
func (s *scanner) plain(data segment.Data, name string, whole bool, depth int) {
	head := headOf(data)
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(string(head), numpyMagic):
		s.numpyFile(data, head, name, depth)
	case strings.HasSuffix(lower, ".pkl"), strings.HasSuffix(lower, ".pickle"),
		pickle.LooksLikePickle(head) && (whole || plausible(data)):
		s.in.all(data, 0, name, depth)
	default:
		for _, c := range compressions {
			if strings.HasPrefix(string(head), c.magic) {
				s.note("%s is compressed with %s: it is not looked into", name, c.name)
			}
		}
		s.in.search(data, 0, name, depth)
	}
}

// compressions are what wfs does not unpack, and others do.
var compressions = []struct{ magic, name string }{
	{"\x1f\x8b", "gzip"}, {"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"7z\xbc\xaf\x27\x1c", "7z"},
}

// plausible keeps a storage whose first bytes happen to look like a pickle out of
// the report: what soon cannot be read any further, and has named nothing, is data.
func plausible(data segment.Data) bool {
	const soon = 256
	res, err := pickle.Load(data, 0, data.Size(), pickle.Options{MaxMemory: 1 << 20})
	return err == nil || len(res.Globals) > 0 || res.End > soon
}

const numpyMagic = "\x93NUMPY"

// numpyFile reports on the pickle after the header of an array of objects
// (numpy/lib/format.py, read_array).
func (s *scanner) numpyFile(data segment.Data, head []byte, name string, depth int) {
	const fixed = 10
	if len(head) < fixed {
		return
	}
	at := fixed + int64(head[8]) + int64(head[9])<<8
	if head[6] > 1 { // versions 2 and 3 have four bytes of length
		if len(head) < fixed+2 {
			return
		}
		at = fixed + 2 + int64(head[8]) + int64(head[9])<<8 + int64(head[10])<<16 + int64(head[11])<<24
	}
	if at >= data.Size() {
		return
	}
	header := string(head)
	if i := strings.Index(header, "'descr':"); i >= 0 && strings.Contains(header[i:min(len(header), i+20)], "O") {
		s.in.all(data, at, name, depth)
		return
	}
	s.in.search(data, at, name, depth)
}

// legacy reports on the five pickles of a legacy file. Storages follow them.
func (s *scanner) legacy(file segment.Data, label string, depth int) {
	at := int64(0)
	for n := 1; n <= 5; n++ {
		next := s.in.one(file, at, fmt.Sprintf("%s %d of 5", label, n), depth)
		if next <= at {
			return
		}
		at = next
	}
	tail, err := torch.LegacyEnd(file)
	switch {
	case err != nil:
		s.note("%s: %v", label, err)
	case tail < file.Size():
		s.tail(file, tail, label, depth)
	}
}

// tail reports on what lies past the end that the reader of the format knows.
func (s *scanner) tail(file segment.Data, at int64, label string, depth int) {
	rest := &segment.Range{Src: file, Off: at, N: file.Size() - at}
	s.note("%s: %d bytes follow its end", label, rest.N)
	name := label + ", after its end"
	if !s.nested(rest, name, depth+1) {
		s.in.search(rest, 0, name, depth+1)
	}
}

// zip reports on every record, by the directory: it is what torch goes by.
func (s *scanner) zip(file segment.Data, path string, depth int) error {
	z, err := zip.Open(file, s.inflated)
	if err != nil {
		return err
	}
	for _, oddity := range z.Oddities() {
		s.note("%s%s", path, oddity)
	}
	if z.Trailing > 0 {
		label := path + "zip"
		s.tail(file, file.Size()-z.Trailing, label, depth)
	}
	s.directories(z, path)
	seen := make(map[string]int, len(z.Records))
	for i := range z.Records {
		rec := &z.Records[i]
		for _, a := range z.Anomalies(rec) {
			s.note("%s%s", path, a)
		}
		lower := strings.ToLower(rec.Name)
		if first, dup := seen[lower]; dup {
			s.note("%srecords %q and %q: readers disagree on which one counts", path, z.Records[first].Name, rec.Name)
		} else {
			seen[lower] = i
		}
		data, err := z.Relaxed(rec)
		if err == nil {
			data, err = s.readable(data)
		}
		if err != nil {
			s.note("%s%v", path, err)
			continue
		}
		s.member(z, rec, data, path+rec.Name, depth)
	}
	return nil
}

// directories notes a torch file whose records are not all below one directory: torch
// refuses it, and other readers choose one.
func (s *scanner) directories(z *zip.Archive, path string) {
	tops, torch := map[string]bool{}, false
	for i := range z.Records {
		name := z.Records[i].Name
		torch = torch || strings.EqualFold(name[strings.LastIndexByte(name, '/')+1:], "data.pkl")
		top, _, below := strings.Cut(name, "/")
		if !below {
			top = ""
		}
		if len(tops) < 2 {
			tops[top] = true
		}
	}
	if torch && len(tops) > 1 {
		s.note("%sits records lie in more than one directory: torch does not read such a file", path)
	} else if torch && tops[""] {
		s.note("%sits records lie in no directory: torch does not read such a file", path)
	}
}

// readable is data for a scan: of what is deflated, the part that is looked into.
func (s *scanner) readable(data segment.Data) (segment.Data, error) {
	if zip.Inflates(data) && data.Size() > zip.MaxInflated {
		if !pickle.LooksLikePickle(headOf(data)) {
			return data, nil
		}
		s.note("a pickle inflates to %d bytes: wfs looks into the first %d", data.Size(), zip.MaxInflated)
		return &segment.Range{Src: data, Off: 0, N: zip.MaxInflated}, nil
	}
	return zip.Hold(data)
}

// headOf is the first bytes, by which containers are told apart.
func headOf(data segment.Data) []byte {
	const headLen = 512
	head := make([]byte, min(headLen, data.Size()))
	n, _ := data.ReadAt(head, 0)
	return head[:n]
}

// member reports on a record, and checks its CRC if it held a pickle: torch does not.
func (s *scanner) member(z *zip.Archive, rec *zip.Record, data segment.Data, name string, depth int) {
	if data.Size() == 0 {
		return
	}
	before := s.in.found()
	if !s.nested(data, name, depth+1) {
		s.plain(data, name, false, depth)
	}
	if s.in.found() > before {
		if err := z.CheckCRC(rec, data); err != nil {
			s.note("%s%v", strings.TrimSuffix(name, rec.Name), err)
		}
	}
}
