package pickle

import (
	"bytes"
	"strings"
	"testing"
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
