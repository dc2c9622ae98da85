package pickle

import (
	"bytes"
	"strings"
	"testing"

	"wfs/formats/segment"
)

// TestExpansion tells lists of lists of lists from values that are only used often.
func TestExpansion(t *testing.T) {
	laughs := "\x80\x02]q\x00"
	for i := range byte(30) {
		laughs += "0(" + strings.Repeat("h"+string([]byte{i}), 3) + "lq" + string([]byte{i + 1})
	}
	flat := "\x80\x02" // many lists, each used twice side by side
	for i := range byte(30) {
		flat += "]q" + string([]byte{i})
	}
	for i := range byte(30) {
		flat += "h" + string([]byte{i})
	}
	for name, c := range map[string]struct {
		pickle string
		attack bool
	}{
		"laughs": {laughs + ".", true},
		"flat":   {"\x80\x02(" + flat[2:] + "l.", false},
		"words":  {"\x80\x02X\x01\x00\x00\x00wq\x000(" + strings.Repeat("h\x00", 100_000) + "l.", false},
		"cycle":  {"\x80\x02" + strings.Repeat("]", 20) + "q\x00h\x00a" + strings.Repeat("a", 19) + ".", false},
	} {
		res, err := Load(bytes.NewReader([]byte(c.pickle)), 0, int64(len(c.pickle)), Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found := strings.Contains(strings.Join(res.Anomalies, "\n"), "expansion attack"); found != c.attack {
			t.Errorf("%s: reported %v, want %v (%q)", name, found, c.attack, res.Anomalies)
		}
	}
}

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
		var in Inspector
		if found := in.Search(segment.Literal(c.data), 0, "test", 0); found != c.found {
			t.Errorf("%s: found %v, want %v: %+v", name, found, c.found, in.Streams)
		}
	}
}
