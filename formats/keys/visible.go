package keys

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Visible is a key for people: quoted where it is empty, or holds what a terminal would obey
// or what is not seen.
func Visible(key string) string {
	if key != "" && utf8.ValidString(key) && !strings.ContainsFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return key
	}
	return strconv.Quote(key)
}
