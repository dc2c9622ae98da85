package source

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPrinted is how much of a name a message has.
const maxPrinted = 200

// Printable is a name for a message: quoted where a terminal would obey it, and cut.
func Printable(name string) string {
	if len(name) > maxPrinted {
		name = strings.ToValidUTF8(name[:maxPrinted], "") + "…"
	}
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strconv.Quote(name)
}
