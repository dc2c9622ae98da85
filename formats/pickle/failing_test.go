package pickle

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var errSource = errors.New("the source fails")

// failing is a source that has its first bytes, and then fails.
type failing struct {
	io.ReaderAt
	good int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.good {
		return 0, errSource
	}
	return f.ReaderAt.ReadAt(p, off)
}

// TestFailingSource has a source that fails in the middle of lines and of opcodes: that is
// not a pickle that was cut short.
func TestFailingSource(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	for name, pickle := range map[string]string{
		"line":    "V" + long + "\n.",
		"lines":   "(" + strings.Repeat("I12\n", 100_000) + "l.",
		"global":  "c" + long + "\n" + long + "\nN.",
		"opcodes": "(" + strings.Repeat("N", 300_000) + "l.",
	} {
		size := int64(len(pickle))
		if _, err := Load(strings.NewReader(pickle), 0, size, Options{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err := Load(failing{strings.NewReader(pickle), size / 2}, 0, size, Options{})
		if !errors.Is(err, errSource) {
			t.Errorf("%s: %v hides that the source failed", name, err)
		}
	}
}
