package audit

import (
	"strings"
	"testing"

	"wfs/formats/segment"
)

// TestSearch finds pickles that begin like none, and takes no number for one.
func TestSearch(t *testing.T) {
	for name, c := range map[string]struct {
		data  string
		found bool
	}{
		"payload":        {"N0cos\nsystem\n(S'true'\ntR.", true},
		"cut payload":    {"N0cos\nsystem\n(S'tr", true},
		"named class":    {"K\x010cmodels\nNet\n)\x81.", true},
		"zeros":          {strings.Repeat("\x00", 100), false},
		"floats":         {strings.Repeat("\x00\x00\x80\x3f", 20), false},
		"a value":        {"N.", false},
		"words":          {"cat\ndog\nmouse\n", false},
		"unlikely names": {"c\x01\x02\n\x03\n0N.", false},
		"after a value":  {"N.I5\n.K\x01.cos\nsystem\n.", true},
		"number":         {"c\x00\x00\x00" + strings.Repeat("\x00\x00\x00\x00", 1<<18), false},
	} {
		s := newScanner(int64(len(c.data)))
		if found := s.pickles(segment.Literal(c.data), 0, "test", 0, asBytes); found != c.found {
			t.Errorf("%s: found %v, want %v: %+v", name, found, c.found, s.streams)
		}
	}
}
