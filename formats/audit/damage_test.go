package audit

import (
	"bytes"
	"testing"
	"time"

	"wfs/formats/internal/readertest"
	"wfs/formats/segment"
)

// seeds are the files that torch wrote for the tests of package torch.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	return readertest.Files(t, "../torch/testdata/*.p*", 10)
}

// scanBytes reports on a file of the bytes b.
func scanBytes(b []byte) (*Report, error) {
	s := newScanner(int64(len(b)))
	err := s.look(segment.Literal(b), "", 0, asFile)
	return s.report("test"), err
}

// exercise scans a file, and reports whether it could be.
func exercise(t testing.TB, b []byte) bool {
	start := time.Now()
	report, err := scanBytes(b)
	if err == nil {
		if _, err := report.JSON(); err != nil || report.Text() == "" {
			t.Errorf("report: %v", err)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a file of %d bytes took %s", len(b), took)
	}
	return err == nil
}

// TestDamaged cuts and flips real files: whatever comes out, it is a report or an error, soon.
func TestDamaged(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for name, b := range seeds(t) {
		if !exercise(t, b) {
			t.Errorf("%s: the whole file is not scanned", name)
		}
		step := max(1, len(b)/150)
		for i := 0; i < len(b); i += step {
			exercise(t, b[:i])
			flipped := bytes.Clone(b)
			flipped[i] ^= 1 << (i % 8)
			exercise(t, flipped)
			flipped[i] = 0xff
			exercise(t, flipped)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, b) })
}
