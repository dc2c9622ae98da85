package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Pos is where a rule stands: a line and a column of a file, both from 1 and in bytes, or a
// flag, which has neither.
type Pos struct {
	// Name is the file as it was named to Parse, or the flag: "--rename".
	Name      string
	Line, Col int
}

// String is "views/bf16.toml:3:8", or "--rename".
func (p Pos) String() string {
	if p.Line == 0 {
		return p.Name
	}
	return fmt.Sprintf("%s:%d:%d", p.Name, p.Line, p.Col)
}

// Error is a fault of a rule. It is one line that begins with the place of it.
type Error struct {
	Pos Pos
	Msg string
}

func (e *Error) Error() string { return e.Pos.String() + ": " + e.Msg }

// errorf is a fault of what stands at p.
func (p Pos) errorf(format string, args ...any) error {
	return &Error{p, fmt.Sprintf(format, args...)}
}

// mostQuoted is how many bytes of a key or of a pattern an error shows.
const mostQuoted = 120

// quote is a key or a pattern for an error: escaped, and cut where it is long.
func quote(s string) string {
	if len(s) > mostQuoted {
		cut := mostQuoted
		for cut > mostQuoted-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return fmt.Sprintf("%q…", s[:cut])
	}
	return fmt.Sprintf("%q", s)
}

// quoted is a list of keys for an error, of which it shows a few.
func quoted(list []string) string {
	const most = 3
	var b strings.Builder
	for i, s := range list {
		switch {
		case i == most:
			fmt.Fprintf(&b, " and %d more", len(list)-most)
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(quote(s))
	}
	return b.String()
}

// meant is the end of an error that names what a mistyped word can have meant.
func meant(names []string) string {
	if len(names) == 0 {
		return ""
	}
	for i, name := range names {
		names[i] = quote(name)
	}
	return ", did you mean " + strings.Join(names, " or ") + "?"
}
