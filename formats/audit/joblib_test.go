package audit

import (
	"strings"
	"testing"
)

// TestJoblib steps over the raw numbers that joblib writes in the middle of a pickle, and
// looks into an array of objects there; without joblib the numbers are opcodes.
func TestJoblib(t *testing.T) {
	text := func(s string) string { return sized("X", 4, s) }
	wrapper := func(dtype, shape string) string {
		return "cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + text("shape") + shape + "\x85" + text("dtype") +
			"cnumpy\ndtype\n" + text(dtype) + "\x89\x88\x87R" + text("numpy_array_alignment_bytes") + "K\x10ub"
	}
	numbers := strings.Repeat("\x00\x00\x80\x3f", 100)
	for name, c := range map[string]struct {
		pickle string
		want   Verdict
	}{
		"array":              {"](" + wrapper("f4", "Kd") + "\x03\xff\xff\xff" + numbers + "e.", Unknown},
		"call after array":   {"](" + wrapper("f4", "Kd") + "\x00" + numbers + call[:len(call)-1] + "e.", Dangerous},
		"call as the array":  {"](" + wrapper("S9", "K\x02") + call + "e.", Dangerous},
		"array of objects":   {"](" + wrapper("O8", "K\x01") + call + "e.", Dangerous},
		"objects, then call": {"](" + wrapper("O8", "K\x01") + "\x80\x02N." + call[:len(call)-1] + "e.", Dangerous},
		"cut array":          {"](" + wrapper("f4", "Kd") + "\x00" + numbers[:40], Unknown},
		"type not known":     {"](" + wrapper("q?", "Kd") + "\x00" + numbers + "e.", Unknown},
	} {
		report, err := scanBytes([]byte("\x80\x02" + c.pickle))
		if err != nil || report.Verdict != c.want {
			t.Errorf("%s: %v, want %s\n%s", name, err, c.want, report.Text())
		}
	}
}
