package numpy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxNesting is how deep tuples and lists of a header lie in each other.
const maxNesting = 32

// tuple and list are Python's.
type (
	tuple []any
	list  []any
)

// literal reads literals of Python, as ast.literal_eval does: dicts with texts for keys,
// tuples, lists, texts, numbers of digits alone, True, False and None.
type literal struct {
	text string
	pos  int
}

var errLiteral = errors.New("its header is not a literal of Python")

// dict is the dict that all of the text is. A key twice is an error: NumPy takes the last one.
func (l *literal) dict() (map[string]any, error) {
	d := map[string]any{}
	if !l.token('{') {
		return nil, errLiteral
	}
	for !l.token('}') {
		l.space()
		key, err := l.string()
		if err != nil || !l.token(':') {
			return nil, errLiteral
		}
		if _, twice := d[key]; twice {
			return nil, fmt.Errorf("its header has %.100q twice", key)
		}
		if d[key], err = l.value(0); err != nil {
			return nil, err
		}
		if !l.token(',') && !l.at('}') {
			return nil, errLiteral
		}
	}
	if l.space(); l.pos < len(l.text) {
		return nil, errLiteral
	}
	return d, nil
}

func (l *literal) space() {
	for l.pos < len(l.text) && strings.IndexByte(" \t\n\r\f", l.text[l.pos]) >= 0 {
		l.pos++
	}
}

// at reports whether c comes next, after white space.
func (l *literal) at(c byte) bool {
	l.space()
	return l.pos < len(l.text) && l.text[l.pos] == c
}

// token passes over c, if it comes next.
func (l *literal) token(c byte) bool {
	found := l.at(c)
	if found {
		l.pos++
	}
	return found
}

func (l *literal) value(depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("its header is nested more than %d deep", maxNesting)
	}
	l.space()
	if l.pos == len(l.text) {
		return nil, errLiteral
	}
	switch c := l.text[l.pos]; {
	case c == '\'' || c == '"':
		return l.string()
	case c >= '0' && c <= '9':
		return l.number()
	case c == '(':
		values, comma, err := l.values(')', depth)
		if err == nil && len(values) == 1 && !comma {
			return values[0], nil // parentheses, and no tuple
		}
		return tuple(values), err
	case c == '[':
		values, _, err := l.values(']', depth)
		return list(values), err
	}
	for word, value := range map[string]any{"True": true, "False": false, "None": nil} {
		if strings.HasPrefix(l.text[l.pos:], word) {
			l.pos += len(word)
			return value, nil
		}
	}
	return nil, errLiteral
}

// values are those up to the end of a tuple or a list; comma says that one follows the last.
func (l *literal) values(end byte, depth int) (values []any, comma bool, err error) {
	l.pos++
	for !l.token(end) {
		if len(values) > 0 && !comma {
			return nil, false, errLiteral
		}
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, false, err
		}
		values = append(values, v)
		comma = l.token(',')
	}
	return values, comma, nil
}

// number is an integer; Python 2 wrote an L after a long one.
func (l *literal) number() (any, error) {
	from := l.pos
	for l.pos < len(l.text) && l.text[l.pos] >= '0' && l.text[l.pos] <= '9' {
		l.pos++
	}
	n, err := strconv.ParseInt(l.text[from:l.pos], 10, 64)
	if err != nil {
		return nil, errors.New("its header has a number that no array has")
	}
	if l.pos < len(l.text) && l.text[l.pos] == 'L' {
		l.pos++
	}
	return n, nil
}

func (l *literal) string() (string, error) {
	if !l.at('\'') && !l.at('"') {
		return "", errLiteral
	}
	quote := l.text[l.pos]
	l.pos++
	var b strings.Builder
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; c {
		case quote:
			l.pos++
			return b.String(), nil
		case '\\':
			r, err := l.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
			l.pos++
		}
	}
	return "", errLiteral
}

// escape is the character that a backslash and what follows it stand for.
func (l *literal) escape() (rune, error) {
	if l.pos+1 >= len(l.text) {
		return 0, errLiteral
	}
	c := l.text[l.pos+1]
	l.pos += 2
	if i := strings.IndexByte(`\'"ntr`, c); i >= 0 {
		return rune("\\'\"\n\t\r"[i]), nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 || l.pos+digits > len(l.text) {
		return 0, errLiteral
	}
	n, err := strconv.ParseUint(l.text[l.pos:l.pos+digits], 16, 32)
	if err != nil || n > utf8.MaxRune {
		return 0, errLiteral
	}
	l.pos += digits
	return rune(n), nil
}
