package tree

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEncodeName(t *testing.T) {
	for key, want := range map[string]string{
		"":                   "%",
		".":                  "%2E",
		"..":                 "%2E%2E",
		"...":                "...",
		"a.b":                "a.b",
		"a/b":                "a%2Fb",
		"50%":                "50%25",
		"a\x00b\n":           "a%00b%0A",
		"\x7f":               "%7F",
		"\xff\xfe":           "%FF%FE",
		"größe.重み":           "größe.重み",
		"\u0085":             "%C2%85",
		"model.layers.0.q/k": "model.layers.0.q%2Fk",
	} {
		if got := EncodeName(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
	long := EncodeName(strings.Repeat("ä", 400))
	if len(long) > maxName || !utf8.ValidString(long) || !strings.Contains(long, cutMark) {
		t.Errorf("long name: %d bytes, %q", len(long), long)
	}
	if EncodeName(strings.Repeat("x", 300)+"a") == EncodeName(strings.Repeat("x", 300)+"b") {
		t.Error("two long keys have one name")
	}
}

func FuzzEncodeName(f *testing.F) {
	for _, pair := range [][2]string{{"", "%"}, {".", "%2E"}, {"a/b", "a%2Fb"}, {"\xff", "%FF"}, {strings.Repeat("%", 90), strings.Repeat("é", 150)}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, key := range []string{a, b} {
			name := EncodeName(key)
			if name == "" || name == "." || name == ".." || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsAny(name, "/\x00\n") {
				t.Errorf("%q: name %q", key, name)
			}
		}
		if a != b && EncodeName(a) == EncodeName(b) {
			t.Errorf("%q and %q have one name, %q", a, b, EncodeName(a))
		}
	})
}
