package audit

import (
	"encoding/binary"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/keras"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/zip"
)

// zipFile reports on a file that begins as a zip does: on one archive, or on many that are
// one after the other, as in the .distcp files of a distributed checkpoint.
func (s *scanner) zipFile(file segment.Data, name string, depth int) error {
	end := file.Size()
	start := zipStart(file, end)
	if start <= 0 {
		return s.zip(file, name, depth)
	}
	for n := 0; start >= 0; n++ {
		if !s.spend(&s.budget.looks, 1, "places to look at", name) {
			return nil
		}
		part := &segment.Range{Src: file, Off: start, N: end - start}
		if err := s.zip(part, below(name, "zip at "+itoa(start)), depth); err != nil {
			s.note("%s, zip at %d: %v", label(name), start, err)
		}
		if end = start; end == 0 {
			return nil
		}
		start = zipStart(file, end)
	}
	s.note("%s: %d bytes stand before its zip", label(name), end)
	front := &segment.Range{Src: file, Off: 0, N: end}
	if err := s.zip(front, below(name, "zip at 0"), depth); err != nil {
		s.note("%s, zip at 0: %v", label(name), err)
		s.pickles(front, 0, name, depth, asBytes)
	}
	return nil
}

// zipAtEnd reports on a zip that other bytes stand before: zipfile looks for it from the
// end. If a pickle was found, a zip that does not end where the file ends lies in its bytes.
func (s *scanner) zipAtEnd(file segment.Data, name string, depth int, how how, found bool) {
	size := file.Size()
	reach := int64(1 << 10)
	if how == asFile {
		reach = 1<<16 + 22
	}
	tail := make([]byte, min(size, reach))
	n, _ := file.ReadAt(tail, size-int64(len(tail)))
	tail = tail[:n]
	at := strings.LastIndex(string(tail), endRecord)
	if at < 0 || len(tail)-at < endLen {
		return
	}
	end := size - int64(len(tail)-at) + endLen + int64(binary.LittleEndian.Uint16(tail[at+20:]))
	if end != size && found {
		return
	}
	start := zipStart(file, end-int64(binary.LittleEndian.Uint16(tail[at+20:])))
	if start < 0 || start >= size {
		return
	}
	inner := &segment.Range{Src: file, Off: start, N: size - start}
	z, err := zip.OpenRelaxed(inner, s.inflated)
	if err != nil || len(z.Records) == 0 {
		if start > 0 && err == nil {
			return
		}
		s.note("%s: it ends like a zip, which cannot be read: it is not looked into", label(name))
		return
	}
	s.note("%s: a zip of %d records stands after other bytes", label(name), len(z.Records))
	s.records(inner, z, inside(name, "zip after other bytes"), depth+1)
}

const (
	endRecord     = "PK\x05\x06"
	endLen        = 22
	locatorRecord = "PK\x06\x07"
	locatorLen    = 20
	end64Len      = 56
)

// zipStart is where the archive begins whose end record ends at end: readers that allow for
// bytes before an archive go by the size and the offset of its directory. It is -1 if there
// is no end record right before end.
func zipStart(file segment.Data, end int64) int64 {
	var b [endLen + locatorLen]byte
	if end < endLen || segment.ReadFull(file, b[locatorLen:], end-endLen) != nil || string(b[locatorLen:locatorLen+4]) != endRecord {
		return -1
	}
	le := binary.LittleEndian
	at := end - endLen
	length, offset := int64(le.Uint32(b[locatorLen+12:])), int64(le.Uint32(b[locatorLen+16:]))
	if at >= locatorLen+end64Len && segment.ReadFull(file, b[:locatorLen], at-locatorLen) == nil && string(b[:4]) == locatorRecord {
		var wide [end64Len]byte
		if segment.ReadFull(file, wide[:], at-locatorLen-end64Len) == nil && string(wide[:4]) == "PK\x06\x06" {
			at -= locatorLen + end64Len
			length, offset = int64(le.Uint64(wide[40:])), int64(le.Uint64(wide[48:]))
		}
	}
	if length < 0 || offset < 0 || length > at || offset > at-length {
		return -1
	}
	return at - length - offset
}

// zip reports on the records of one archive.
func (s *scanner) zip(file segment.Data, name string, depth int) error {
	z, err := zip.OpenRelaxed(file, s.inflated)
	if err != nil {
		return err
	}
	for _, oddity := range z.Oddities() {
		s.note("%s%s", prefix(name), oddity)
	}
	if z.Trailing > 0 {
		s.tail(file, file.Size()-z.Trailing, below(name, "zip"), depth)
	}
	s.records(file, z, name, depth)
	return nil
}

// prefix stands before a note on what is in name.
func prefix(name string) string {
	if name == "" {
		return ""
	}
	return name + "/"
}

// extent is where the bytes of a record lie.
type extent struct{ off, n int64 }

// records reports on every record, by the directory: it is what torch goes by. Bytes that
// several records share are looked into once.
func (s *scanner) records(file segment.Data, z *zip.Archive, name string, depth int) {
	s.directories(z, name)
	for _, fault := range z.Faults {
		s.note("%s%v", prefix(name), fault)
	}
	seen := make(map[string]int, len(z.Records))
	read := make(map[extent]bool, len(z.Records))
	shared := 0
	for i := range z.Records {
		rec := &z.Records[i]
		for _, a := range z.Anomalies(rec) {
			s.note("%s%s", prefix(name), a)
		}
		lower := strings.ToLower(rec.Name)
		if first, dup := seen[lower]; dup {
			s.note("%srecords %q and %q: readers disagree on which one counts", prefix(name), cut(z.Records[first].Name), cut(rec.Name))
		} else {
			seen[lower] = i
		}
		off, n, err := z.Extent(rec)
		if at := (extent{off, n}); err == nil && n > 0 {
			if read[at] {
				shared++
				continue
			}
			read[at] = true
		}
		data, err := z.Relaxed(rec)
		if err != nil {
			s.note("%s%v", prefix(name), err)
			if c := methodOf(rec); c.open != nil && n > 0 {
				raw := &segment.Range{Src: file, Off: off, N: n}
				if out, _, err := s.inflate(raw, c); len(out) > 0 {
					if err != nil {
						s.note("%s: %v: it is looked into as far as that", below(name, cut(rec.Name)), err)
					}
					s.lookInside(segment.Literal(out), below(name, cut(rec.Name)), depth+1, memberKind(rec.Name))
				}
			}
			continue
		}
		s.record(z, rec, data, below(name, cut(rec.Name)), depth)
		if s.budget.looks == 0 {
			return
		}
	}
	if shared > 0 {
		s.note("%s%d records have the bytes of another one: these are looked into once", prefix(name), shared)
	}
}

// cut is a name of a file for a note.
func cut(name string) string { return escape(name, maxName) }

// record reports on a record, and checks its CRC if it held a pickle: torch does not.
func (s *scanner) record(z *zip.Archive, rec *zip.Record, data segment.Data, name string, depth int) {
	if data.Size() == 0 {
		return
	}
	head := headOf(data)
	how := memberKind(rec.Name)
	data, ok := s.hold(data, head, name, how)
	if !ok {
		return
	}
	before := s.found()
	s.lookInside(data, name, depth+1, how)
	if s.found() == before {
		return
	}
	if zip.Inflates(data) && !s.spend(&s.budget.inflated, data.Size(), "inflated bytes", name) {
		return
	}
	if err := z.CheckCRC(rec, data); err != nil {
		s.note("%s: %v", label(name), err)
	}
}

// memberKind is how a member is looked at, by its name.
func memberKind(name string) how {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, ".pkl") || strings.HasSuffix(name, ".pickle") {
		return asPickle
	}
	return asMember
}

// hold reads a deflated record into memory, where it may hold pickles and is small. One
// that inflates to more than a pickle has is looked into as far as that.
func (s *scanner) hold(data segment.Data, head []byte, name string, how how) (segment.Data, bool) {
	if !zip.Inflates(data) {
		return data, true
	}
	guess, _ := pickle.GuessAt(string(head), data.Size())
	pickled := guess != pickle.NotPickle || how == asPickle || pickle.LooksLikePickle(head)
	if !pickled && !pickle.HasMagic(string(head)) || keras.DetectHDF5(head, data) == checkpoint.Certain {
		return data, true // it is looked at, and no more, or at any place
	}
	if data.Size() > zip.MaxInflated {
		if !pickle.LooksLikePickle(head) {
			return data, true
		}
		s.note("%s inflates to %d bytes: wfs looks into the first %d", label(name), data.Size(), zip.MaxInflated)
		data = &segment.Range{Src: data, Off: 0, N: zip.MaxInflated}
	}
	if !s.spend(&s.budget.inflated, data.Size(), "inflated bytes", name) {
		return nil, false
	}
	held, err := zip.Hold(data)
	if err != nil {
		s.note("%s: %v", label(name), err)
		return nil, false
	}
	return held, true
}

// directories notes a torch file whose records are not all below one directory: torch
// refuses it, and other readers choose one.
func (s *scanner) directories(z *zip.Archive, name string) {
	tops, torch := map[string]bool{}, false
	for i := range z.Records {
		rec := z.Records[i].Name
		torch = torch || strings.EqualFold(rec[strings.LastIndexByte(rec, '/')+1:], "data.pkl")
		top, _, below := strings.Cut(rec, "/")
		if !below {
			top = ""
		}
		if len(tops) < 2 {
			tops[top] = true
		}
	}
	if torch && len(tops) > 1 {
		s.note("%sits records lie in more than one directory: torch does not read such a file", prefix(name))
	}
}
