package toy

import (
	"testing"

	"wfs/formats/internal/readertest"
)

const good = `{"toy": 1, "tensors": [{"key": "a.b", "shape": [2, 2]}, {"key": "scalar", "shape": []}, {"key": "none", "shape": [0]}]}` +
	"\n\x00\x00\x80?\x00\x00\x00@\x00\x00@@\x00\x00\x80@\xdb\x0fI@"

// TestReader is all the test that a reader of a simple format needs beside those of its
// own rules.
func TestReader(t *testing.T) {
	readertest.Run(t, Format(), map[string][]byte{"good": []byte(good)})
}
