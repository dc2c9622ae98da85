package keys

import (
	"regexp"
	"strings"
)

// Pattern is a glob over keys: * is any run of bytes, separators included, ? is one
// character, [a-z] and [!a-z] are one of a class, {a,b} is either, and \ takes the next
// character as it is. It is what Python's fnmatch matches, with which the field picks keys
// and files, and braces. A bracket or brace that is not closed stands for itself, and a
// pattern matches itself whatever it holds, so that a key can always be named.
type Pattern struct {
	text string
	re   *regexp.Regexp
}

// Compile reads a pattern. Every text is one.
func Compile(pattern string) Pattern { return compile(pattern, "") }

// CompileBelow is Compile, and matches what lies below a match too: "model.layers.0" is
// that key and all that go on with a dot or a slash, as ls(1) lists a directory.
func CompileBelow(pattern string) Pattern { return compile(pattern, "(?:[./].*)?") }

func compile(pattern, tail string) Pattern {
	// (?s): a key can hold a line feed. RE2 takes linear time whatever the pattern is.
	re, err := regexp.Compile(`(?s)\A` + translate(pattern) + tail + `\z`)
	if err != nil { // a class that ends before it begins: [z-a]
		re = regexp.MustCompile(`(?s)\A` + regexp.QuoteMeta(strings.ToValidUTF8(pattern, "\uFFFD")) + tail + `\z`)
	}
	return Pattern{pattern, re}
}

// Match reports whether the pattern matches the whole key.
func (p Pattern) Match(key string) bool { return key == p.text || p.re.MatchString(key) }

// IsPattern reports whether a text can match other keys than itself.
func IsPattern(text string) bool { return strings.ContainsAny(text, `*?[{`) }

// translate is a glob as a regular expression.
func translate(glob string) string {
	var b strings.Builder
	open := 0 // braces
	runes := []rune(glob)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '*':
			b.WriteString(".*")
		case c == '?':
			b.WriteByte('.')
		case c == '\\' && i+1 < len(runes):
			i++
			b.WriteString(regexp.QuoteMeta(string(runes[i])))
		case c == '[' && classEnd(runes, i) > 0:
			end := classEnd(runes, i)
			b.WriteString(class(runes[i+1 : end]))
			i = end
		case c == '{' && closes(runes[i:]):
			open++
			b.WriteString("(?:")
		case c == '}' && open > 0:
			open--
			b.WriteByte(')')
		case c == ',' && open > 0:
			b.WriteByte('|')
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return b.String()
}

// classEnd is the index of the ] that closes the class which begins at i, 0 for none. A ]
// that comes first is one of the class.
func classEnd(runes []rune, i int) int {
	first := i + 1
	if first < len(runes) && (runes[first] == '!' || runes[first] == '^') {
		first++
	}
	for j := first + 1; j < len(runes); j++ {
		if runes[j] == ']' {
			return j
		}
	}
	return 0
}

// class is what stands between brackets as a regular expression.
func class(inside []rune) string {
	var b strings.Builder
	b.WriteByte('[')
	if inside[0] == '!' || inside[0] == '^' {
		b.WriteByte('^')
		inside = inside[1:]
	}
	for _, c := range inside {
		if strings.ContainsRune(`\[]^&~`, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	b.WriteByte(']')
	return b.String()
}

// closes reports whether the brace that runes begin with is closed.
func closes(runes []rune) bool {
	depth := 0
	for i := 0; i < len(runes); i++ {
		switch runes[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return true
			}
		}
	}
	return false
}
