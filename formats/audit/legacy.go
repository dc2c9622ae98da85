package audit

import (
	"fmt"
	"strconv"

	"wfs/formats/segment"
	"wfs/formats/torch"
)

// legacy reports on the five pickles of a legacy file of torch. Storages follow them.
func (s *scanner) legacy(file segment.Data, name string, depth int) {
	at := int64(0)
	for n := 1; n <= 5; n++ {
		next := s.one(file, at, fmt.Sprintf("%s %d of 5", label(name), n), depth)
		if next <= at {
			return
		}
		at = next
	}
	tail, err := torch.LegacyEnd(file)
	switch {
	case err != nil:
		s.note("%s: %v", label(name), err)
		if at < file.Size() {
			s.pickles(after(file, at), 0, inside(name, "after its pickles"), depth, asBytes)
		}
	case tail < file.Size():
		s.tail(file, tail, label(name), depth)
	}
}

// tail reports on what lies past the end that the reader of the format knows.
func (s *scanner) tail(file segment.Data, at int64, name string, depth int) {
	rest := after(file, at)
	s.note("%s: %d bytes follow its end", name, rest.N)
	s.lookInside(rest, inside(name, "after its end"), depth+1, asMember)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
