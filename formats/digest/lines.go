package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sum is a SHA-256.
type Sum [sha256.Size]byte

// String is the sum in hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText implements encoding.TextMarshaler.
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// Line is a line of sums: of a file, a tensor, or a whole model.
type Line struct {
	Sum  Sum
	Name string
	// Model tells the line of a model from that of a tensor with its name.
	Model bool
}

// ModelName is the name in the line of a model.
const ModelName = "model"

// AppendTo appends the line as sha256sum writes it, to a line feed. That of a model has the
// asterisk of a binary file instead of the second space.
func (l Line) AppendTo(b []byte) []byte {
	name := escape(l.Name)
	if name != l.Name {
		b = append(b, '\\')
	}
	b = hex.AppendEncode(b, l.Sum[:])
	if l.Model {
		b = append(b, " *"...)
	} else {
		b = append(b, "  "...)
	}
	return append(append(b, name...), '\n')
}

// LineSize is the length of the line of a file or a tensor, which does not depend on its sum.
func LineSize(name string) int64 {
	size := int64(2*sha256.Size + len("  ") + len("\n"))
	if escaped := escape(name); escaped != name {
		return size + int64(len(escaped)+len(`\`))
	}
	return size + int64(len(name))
}

// ParseLine reads a line, without its end, that AppendTo or sha256sum wrote.
func ParseLine(text []byte) (l Line, ok bool) {
	text, escaped := bytes.CutPrefix(text, []byte(`\`))
	const digits = 2 * sha256.Size
	if len(text) < digits+2 || text[digits] != ' ' || text[digits+1] != ' ' && text[digits+1] != '*' {
		return l, false
	}
	if _, err := hex.Decode(l.Sum[:], text[:digits]); err != nil {
		return l, false
	}
	l.Model, l.Name = text[digits+1] == '*', string(text[digits+2:])
	if escaped {
		var err error
		if l.Name, err = unescape(l.Name); err != nil {
			return l, false
		}
	}
	return l, true
}

// ModelSum is the sum of a model whose tensors have these lines, which are in the order of
// their names.
func ModelSum(lines []Line) Sum {
	h := sha256.New()
	var line []byte
	for _, l := range lines {
		line = l.AppendTo(line[:0])
		h.Write(line)
	}
	return Sum(h.Sum(nil))
}

// escape is a name that is one line, and that no terminal obeys.
func escape(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || r == utf8.RuneError || control(r) }) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == utf8.RuneError && n == 1, control(r):
			for _, c := range []byte(name[:n]) {
				b.WriteString(`\x` + hex.EncodeToString([]byte{c}))
			}
		default:
			b.WriteString(name[:n])
		}
		name = name[n:]
	}
	return b.String()
}

func control(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

var errEscape = errors.New("not an escape")

// unescape takes back what escape did.
func unescape(text string) (string, error) {
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(text, `\`)
		b.WriteString(plain)
		if !found {
			return b.String(), nil
		}
		if rest == "" {
			return "", errEscape
		}
		used := 1
		switch rest[0] {
		case '\\':
			b.WriteByte('\\')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'x':
			if used = 3; len(rest) < used {
				return "", errEscape
			}
			c, err := strconv.ParseUint(rest[1:used], 16, 8)
			if err != nil {
				return "", errEscape
			}
			b.WriteByte(byte(c))
		default:
			return "", errEscape
		}
		text = rest[used:]
	}
}
