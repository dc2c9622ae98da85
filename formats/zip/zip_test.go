package zip

import (
	stdzip "archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"wfs/formats/segment"
)

// write makes a zip with the standard library's writer.
func write(t testing.TB, method uint16, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := stdzip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := w.CreateHeader(&stdzip.FileHeader{Name: members[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, members[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadsAtEveryOffset(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	long := make([]byte, 700_000)
	for i := range long {
		long[i] = "abcdefgh"[rng.IntN(8)]
	}
	for _, method := range []uint16{Stored, Deflated} {
		b := write(t, method, "m/data.pkl", "short", "m/data/0", string(long), "m/empty", "")
		a, err := Open(segment.Literal(b), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Records) != 3 || a.Records[1].Size != int64(len(long)) {
			t.Fatalf("records: %+v", a.Records)
		}
		d, err := a.Data(&a.Records[1])
		if err != nil {
			t.Fatal(err)
		}
		for range 60 { // forwards, backwards, several readers of one record
			off := rng.IntN(len(long) + 10)
			p := make([]byte, rng.IntN(90_000))
			n, err := d.ReadAt(p, int64(off))
			want := long[min(off, len(long)):min(off+len(p), len(long))]
			if !bytes.Equal(p[:n], want) || n < len(p) && err != io.EOF {
				t.Fatalf("method %d: %d bytes at %d: %d, %v", method, len(p), off, n, err)
			}
		}
		if found := a.Anomalies(&a.Records[0]); found != nil {
			t.Errorf("anomalies of a plain zip: %q", found)
		}
	}
}

func TestAnomalies(t *testing.T) {
	clean := write(t, Stored, "m/data.pkl", "payload")
	for name, change := range map[string]struct {
		at   int
		to   byte
		says string
	}{
		"flag in the local header": {6, 1, "flags are"},
		"name in the local header": {30, 'x', "another name"},
		"method":                   {8, 8, "compression method"},
		"signature":                {0, 'X', "no local header"},
	} {
		b := bytes.Clone(clean)
		b[change.at] = change.to
		a, err := Open(segment.Literal(b), nil)
		if err != nil {
			t.Fatal(err)
		}
		if found := strings.Join(a.Anomalies(&a.Records[0]), "; "); !strings.Contains(found, change.says) {
			t.Errorf("%s: %q does not say %q", name, found, change.says)
		}
	}
	trailing, err := Open(segment.Literal(append(bytes.Clone(clean), "tail"...)), nil)
	if err != nil || trailing.Trailing != 4 {
		t.Errorf("trailing bytes: %v", err)
	}
	encrypted := bytes.Clone(clean)
	encrypted[bytes.Index(encrypted, []byte(centralSig))+8] |= flagEncrypted
	a, err := Open(segment.Literal(encrypted), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Data(&a.Records[0]); err == nil {
		t.Error("an encrypted record was read")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(write(f, Stored, "m/data.pkl", "payload", "m/data/0", "12345678"))
	f.Add(write(f, Deflated, "m/data.pkl", strings.Repeat("payload", 99)))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Open(segment.Literal(b), nil)
		if err != nil {
			return
		}
		for i := range a.Records {
			a.Anomalies(&a.Records[i])
			d, err := a.Data(&a.Records[i])
			if err != nil {
				continue
			}
			p := make([]byte, min(d.Size(), 1<<16))
			if n, err := d.ReadAt(p, 0); n < len(p) && (err == nil || err == io.EOF) {
				t.Fatalf("record %d: %d of %d bytes and %v", i, n, len(p), err)
			}
		}
	})
}

func TestOddities(t *testing.T) {
	clean := write(t, Stored, "m/data.pkl", "payload", "m/data/0", strings.Repeat("storage", 10))
	directory := bytes.Index(clean, []byte(centralSig))
	end := bytes.LastIndex(clean, []byte(endSignature))
	shift := func(b []byte, n int) []byte { // the directory begins n bytes later
		at := bytes.LastIndex(b, []byte(endSignature)) + 16
		binary.LittleEndian.PutUint32(b[at:], le32(b[at:])+uint32(n))
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		says string
	}{
		"clean":      {clean, ""},
		"gap":        {shift(append(append(bytes.Clone(clean[:directory]), make([]byte, 100)...), clean[directory:]...), 100), "belong to no record"},
		"second end": {append(append(bytes.Clone(clean[:end+20]), 22, 0), append(bytes.Clone(clean[end:end+20]), 0, 0)...), "more than one end record"},
		"count":      {func() []byte { b := bytes.Clone(clean); b[end+10] = 1; return b }(), "goes on past"},
	} {
		a, err := Open(segment.Literal(c.b), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := strings.Join(a.Oddities(), "; ")
		if (found == "") != (c.says == "") || !strings.Contains(found, c.says) {
			t.Errorf("%s: %q, want %q", name, found, c.says)
		}
	}
	a, err := Open(segment.Literal(clean), nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.Data(&a.Records[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := a.CheckCRC(&a.Records[0], data); err != nil {
		t.Errorf("the CRC of a clean record: %v", err)
	}
	if err := a.CheckCRC(&a.Records[1], data); err == nil {
		t.Error("the CRC of another record was accepted")
	}
}
