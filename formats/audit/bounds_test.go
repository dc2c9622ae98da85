package audit

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
	"time"
	"unicode"
)

// overlapping is a zip whose directory names one deflated record many times.
func overlapping(t testing.TB, count int) []byte {
	t.Helper()
	body := []byte("\x80\x02" + strings.Repeat("N0", 4<<20) + "N.")
	one := []byte(archived(t, "a/data.pkl", string(body), zip.Deflate))
	at := bytes.LastIndex(one, []byte("PK\x01\x02"))
	end := bytes.LastIndex(one, []byte("PK\x05\x06"))
	entry := one[at:end]
	binary.LittleEndian.PutUint32(entry[16:], crc32.ChecksumIEEE(body))
	out := bytes.Clone(one[:at])
	out = append(out, bytes.Repeat(entry, count)...)
	tail := bytes.Clone(one[end:])
	binary.LittleEndian.PutUint16(tail[8:], uint16(count))
	binary.LittleEndian.PutUint16(tail[10:], uint16(count))
	binary.LittleEndian.PutUint32(tail[12:], uint32(count*len(entry)))
	return append(out, tail...)
}

// TestBounds has files that make a scanner work, or write, out of proportion.
func TestBounds(t *testing.T) {
	nested := "cmodels\nNet\n)R."
	for range 12 {
		nested = "N0" + sized("X", 4, nested+strings.Repeat("x", 20<<10)) + "cmodels\nNet\n)R."
	}
	deep := "\x80\x02cmodels\nNet\n)R."
	for range 50 {
		deep = "\x80\x03" + sized("B", 4, deep) + "."
	}
	name := "\x1b[31m\a\nfake: allowed\n" + strings.Repeat("n", 60_000)
	records := ""
	for range 20 {
		records += archived(t, name, "\x80\x02cos\ngetcwd\n.", zip.Store)
	}
	for what, file := range map[string][]byte{
		"many pickles":        []byte(strings.Repeat("N0cos\ngetcwd\n.", 40_000)),
		"many values":         []byte(strings.Repeat("N.", 1<<20)),
		"many unknown":        []byte(strings.Repeat("N0cmodels\nNet\n)R.", 40_000)),
		"many payloads":       []byte("\x80\x03(" + strings.Repeat(sized("B", 4, "cmodels\nNet\n)R."), 40_000) + "l."),
		"nested texts":        []byte(nested),
		"deep":                []byte(deep),
		"overlapping records": overlapping(t, 1000),
		"long names":          []byte(records),
		"long globals":        []byte("\x80\x02" + strings.Repeat("c"+strings.Repeat("m", 1<<19)+"\nn\n0", 20) + "N."),
	} {
		start := time.Now()
		report, err := scanBytes(file)
		if took := time.Since(start); took > 30*time.Second { // a second or two on an idle machine
			t.Errorf("%s: %d bytes took %s", what, len(file), took)
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		text := report.Text()
		if limit := 4<<20 + 8*len(file); len(text) > limit {
			t.Errorf("%s: %d bytes give a report of %d", what, len(file), len(text))
		}
		if what != "many values" && report.Verdict == Allowed {
			t.Errorf("%s: %.1000s", what, text)
		}
		for line := range strings.Lines(text) {
			if len(line) > 4<<10 || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: a line of %d bytes: %.200q", what, len(line), line)
			}
			if strings.HasPrefix(line, "fake") {
				t.Errorf("%s: a forged line", what)
			}
		}
	}
}

// TestOddRecord has a record that lies outside the file, before one that holds a call.
func TestOddRecord(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range []string{"a/odd", "a/data.pkl"} {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("\x80\x02" + call))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	entry := bytes.Index(file, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(file[entry+42:], 1<<30)
	report, err := scanBytes(file)
	if err != nil || report.Verdict != Dangerous || !strings.Contains(report.Text(), "outside the file") {
		t.Errorf("%v\n%s", err, report.Text())
	}
}
