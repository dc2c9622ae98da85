package main

import (
	"strings"
	"testing"
)

// TestTerminal checks that no name in a file reaches the terminal as a command.
func TestTerminal(t *testing.T) {
	for _, s := range []string{"\x1b]0;title\a", "a\nb", "a\rb", "\u009b31m", "\x7f", "a\tb", "bad\xff\xfe", ""} {
		for _, got := range []string{visible(s), oneLine(s)} {
			if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("%q is printed as %q", s, got)
			}
		}
	}
	for _, s := range []string{"model.fc.weight", "ключ/x:0", "a b"} {
		if visible(s) != s || oneLine(s) != s {
			t.Errorf("%q is printed as %q, %q", s, visible(s), oneLine(s))
		}
	}
}
