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
	} {
		var in inspector
		if found := in.search(segment.Literal(c.data), 0, "test", 0); found != c.found {
			t.Errorf("%s: found %v, want %v: %+v", name, found, c.found, in.streams)
		}
	}
}
