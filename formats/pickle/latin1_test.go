package pickle

import (
	"testing"

	"wfs/formats/segment"
)

func TestLatin1AtEveryOffset(t *testing.T) {
	raw := make([]byte, 3*latin1Step+17)
	var text []byte
	for i := range raw {
		raw[i] = byte(i * 31)
		text = append(text, string(rune(raw[i]))...)
	}
	d, err := newLatin1(segment.Literal(text))
	if err != nil {
		t.Fatal(err)
	}
	if d.Size() != int64(len(raw)) {
		t.Fatalf("%d bytes, want %d", d.Size(), len(raw))
	}
	for off := 0; off < len(raw); off += 4099 {
		got := make([]byte, min(70000, len(raw)-off))
		if n, err := d.ReadAt(got, int64(off)); n < len(got) {
			t.Fatal(err)
		}
		if string(got) != string(raw[off:off+len(got)]) {
			t.Fatalf("wrong bytes at %d", off)
		}
	}
	if _, err := newLatin1(segment.Literal("\u0100")); err == nil {
		t.Error("a code point beyond latin-1 was accepted")
	}
}
