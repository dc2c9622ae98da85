package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads the JSON of a header in one pass without building values that the
// header does not need. It is as strict as serde_json, and stricter in one thing:
// a name that occurs twice is an error, as the format demands.
type parser struct {
	b   []byte
	pos int
}

var errSyntax = errors.New("its header is not valid JSON")

func (p *parser) space() {
	for p.pos < len(p.b) {
		switch p.b[p.pos] {
		case ' ', '\n', '\r', '\t':
			p.pos++
		default:
			return
		}
	}
}

// peek is the next byte that is not white space, 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.pos == len(p.b) {
		return 0
	}
	return p.b[p.pos]
}

func (p *parser) expect(c byte) error {
	if is := p.peek(); is != c {
		if wanted, found := valueOf(c), valueOf(is); wanted != "" && found != "" {
			return fmt.Errorf("its header is JSON, with %s at byte %d, where %s belongs", found, p.pos+8, wanted)
		}
		return fmt.Errorf("%w: byte %d should be %q", errSyntax, p.pos+8, c)
	}
	p.pos++
	return nil
}

// valueOf is what value begins with c, "" for none.
func valueOf(c byte) string {
	switch {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == 't', c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-', c >= '0' && c <= '9':
		return "a number"
	}
	return ""
}

// object calls field for each key, with the parser before the value.
func (p *parser) object(field func(key string) error) error {
	if err := p.expect('{'); err != nil {
		return err
	}
	if p.peek() == '}' {
		p.pos++
		return nil
	}
	for {
		key, err := p.text()
		if err != nil {
			return err
		}
		if err := p.expect(':'); err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
		if p.peek() == ',' {
			p.pos++
			continue
		}
		return p.expect('}')
	}
}

// numbers reads an array of integers that are not negative, at most limit of them.
func (p *parser) numbers(limit int) ([]int64, error) {
	if err := p.expect('['); err != nil {
		return nil, err
	}
	var out []int64
	if p.peek() == ']' {
		p.pos++
		return out, nil
	}
	for {
		c := p.peek()
		start := p.pos
		for p.pos < len(p.b) && p.b[p.pos] >= '0' && p.b[p.pos] <= '9' {
			p.pos++
		}
		digits := p.b[start:p.pos]
		if found := valueOf(c); len(digits) == 0 && found != "" {
			return nil, fmt.Errorf("its header is JSON, with %s at byte %d, where a whole number that is not negative belongs", strings.Replace(found, "a number", "a negative number", 1), start+8)
		}
		if len(digits) == 0 || len(digits) > 1 && c == '0' {
			return nil, fmt.Errorf("%w: byte %d should begin a whole number", errSyntax, start+8)
		}
		if p.pos < len(p.b) && strings.IndexByte(".eE", p.b[p.pos]) >= 0 {
			return nil, fmt.Errorf("its header is JSON, with a fraction at byte %d, where a whole number belongs", start+8)
		}
		n, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("number %.40s is too large", digits)
		}
		if len(out) == limit {
			return nil, fmt.Errorf("an array has more than %d numbers", limit)
		}
		out = append(out, n)
		if p.peek() == ',' {
			p.pos++
			continue
		}
		return out, p.expect(']')
	}
}

// text reads a string.
func (p *parser) text() (string, error) {
	if err := p.expect('"'); err != nil {
		return "", err
	}
	start := p.pos
	escaped := false
	for p.pos < len(p.b) {
		switch c := p.b[p.pos]; {
		case c == '"':
			raw := p.b[start:p.pos]
			p.pos++
			if !escaped {
				return string(raw), nil
			}
			return unescape(p.b[start-1 : p.pos])
		case c == '\\':
			escaped = true
			p.pos++
		case c < ' ':
			return "", fmt.Errorf("%w: a string holds a control character", errSyntax)
		}
		p.pos++
	}
	return "", fmt.Errorf("%w: a string does not end", errSyntax)
}

// unescape decodes a quoted string with escapes. encoding/json replaces a lone
// surrogate, which serde_json refuses.
func unescape(quoted []byte) (string, error) {
	for i := 1; i < len(quoted)-1; i++ {
		if quoted[i] != '\\' {
			continue
		}
		if quoted[i+1] != 'u' {
			i++
			continue
		}
		high := hex4(quoted, i)
		if high >= 0xDC00 && high < 0xE000 {
			return "", fmt.Errorf("%w: a string holds half a surrogate pair", errSyntax)
		}
		if high >= 0xD800 && high < 0xDC00 {
			low := -1
			if i+11 < len(quoted) && quoted[i+6] == '\\' && quoted[i+7] == 'u' {
				low = hex4(quoted, i+6)
			}
			if low < 0xDC00 || low > 0xDFFF {
				return "", fmt.Errorf("%w: a string holds half a surrogate pair", errSyntax)
			}
			i += 6
		}
		i += 5
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return "", fmt.Errorf("%w: %v", errSyntax, err)
	}
	return s, nil
}

// hex4 is the number in \uXXXX at i, -1 where there is none.
func hex4(b []byte, i int) int {
	if i+6 > len(b) {
		return -1
	}
	n, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// maxSkipDepth bounds the nesting of fields that the format does not know.
const maxSkipDepth = 100

// skip passes over any value.
func (p *parser) skip(depth int) error {
	if depth > maxSkipDepth {
		return fmt.Errorf("%w: it is nested too deep", errSyntax)
	}
	switch c := p.peek(); c {
	case '{':
		return p.object(func(string) error { return p.skip(depth + 1) })
	case '[':
		p.pos++
		if p.peek() == ']' {
			p.pos++
			return nil
		}
		for {
			if err := p.skip(depth + 1); err != nil {
				return err
			}
			if p.peek() == ',' {
				p.pos++
				continue
			}
			return p.expect(']')
		}
	case '"':
		_, err := p.text()
		return err
	}
	start := p.pos
	for p.pos < len(p.b) && (p.b[p.pos] == '+' || p.b[p.pos] == '-' || p.b[p.pos] == '.' ||
		p.b[p.pos] >= '0' && p.b[p.pos] <= '9' || p.b[p.pos] >= 'A' && p.b[p.pos] <= 'z') {
		p.pos++
	}
	if !json.Valid(p.b[start:p.pos]) {
		return fmt.Errorf("%w: byte %d does not begin a value", errSyntax, start+8)
	}
	return nil
}

func validUTF8(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("its header is not UTF-8")
	}
	return nil
}
