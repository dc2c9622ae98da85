package rules

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// kind is what a placeholder stands for.
type kind int

const (
	onePart  kind = iota // {x}: a run of bytes without a dot or a slash
	anyParts             // {x*}: any run of bytes
	digits               // {x#}: digits
	choice               // {a|b|c}: one of these
	group                // a group of a regular expression
)

// hole is a placeholder of a pattern.
type hole struct {
	// name is what binds it to that of a template; of a list its text: "q|k|v".
	name string
	kind kind
	list []string
}

func (h hole) String() string {
	switch h.kind {
	case anyParts:
		return "{" + h.name + "*}"
	case digits:
		return "{" + h.name + "#}"
	case group:
		return "$" + h.name
	}
	return "{" + h.name + "}"
}

const (
	// maxPattern is the most bytes of a pattern, a regular expression or a template.
	maxPattern = 4096
	// maxHoles is the most placeholders of one.
	maxHoles = 32
	// maxList is the most words of a {a|b|c}.
	maxList = 1024
)

// pattern matches whole keys, and says what its placeholders stand for.
type pattern struct {
	text  string
	pos   Pos
	holes []hole
	// literals are what stands before, between and after the holes.
	literals []string
	// inner is the longest literal between two holes, "" for none. A key without it is no match.
	inner string
	// regex is what a pattern in slashes is, nil for others.
	regex *expression
	// fallback is the pattern as an expression, for keys that match would search for too long.
	fallback *regexp.Regexp
}

// holeName is what may stand in braces: a name, and what it stands for.
var holeName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)([*#]?)$`)

// brace reads the placeholder that text[i:] begins with, and says where it ends.
func brace(text string, i int, pos Pos) (hole, int, error) {
	n := strings.IndexByte(text[i:], '}')
	if n < 0 {
		return hole{}, 0, pos.errorf("a brace is not closed in %s: write {{ for the character itself", quote(text))
	}
	inside := text[i+1 : i+n]
	if strings.Contains(inside, "|") {
		words := strings.Split(inside, "|")
		sorted := slices.Sorted(slices.Values(words))
		switch {
		case len(words) > maxList:
			return hole{}, 0, pos.errorf("a list in braces has at most %d words", maxList)
		case slices.Contains(words, ""), len(slices.Compact(sorted)) < len(words):
			return hole{}, 0, pos.errorf("the words of {%.80s} are not all there, or not all different", inside)
		}
		return hole{inside, choice, words}, i + n + 1, nil
	}
	m := holeName.FindStringSubmatch(inside)
	if m == nil {
		return hole{}, 0, pos.errorf("%s is not a placeholder: take {x}, {x*}, {x#} or {a|b|c}, and {{ for a brace", quote("{"+inside+"}"))
	}
	return hole{m[1], map[string]kind{"": onePart, "*": anyParts, "#": digits}[m[2]], nil}, i + n + 1, nil
}

// split takes a text apart into literals and the holes between them. dollar reads what begins
// with a $ or a backslash in templates of regular expressions, nil for texts where both are
// ordinary.
func split(v *value, dollar func(text string, i int) (h hole, literal string, next int)) (literals []string, holes []hole, err error) {
	text := v.text
	switch {
	case len(text) > maxPattern:
		return nil, nil, v.pos.errorf("it has %d bytes, and at most %d are taken", len(text), maxPattern)
	case !utf8.ValidString(text):
		return nil, nil, v.pos.errorf("%s is not UTF-8", quote(text))
	}
	var literal strings.Builder
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case (c == '{' || c == '}') && strings.HasPrefix(text[i+1:], string(c)):
			literal.WriteByte(c)
			i += 2
		case c == '}':
			return nil, nil, v.at(i).errorf("a brace is closed that was not opened in %s: write }} for the character itself", quote(text))
		case c == '{':
			h, next, err := brace(text, i, v.at(i))
			if err != nil {
				return nil, nil, err
			}
			literals, holes, i = append(literals, literal.String()), append(holes, h), next
			literal.Reset()
		case dollar != nil && (c == '$' || c == '\\' || c == '&'):
			h, lit, next := dollar(text, i)
			if lit == "" {
				literals, holes = append(literals, literal.String()), append(holes, h)
				literal.Reset()
			}
			literal.WriteString(lit)
			i = next
		default:
			literal.WriteByte(c)
			i++
		}
	}
	if len(holes) > maxHoles {
		return nil, nil, v.pos.errorf("%s has %d placeholders, and at most %d are taken", quote(text), len(holes), maxHoles)
	}
	return append(literals, literal.String()), holes, nil
}

// newPattern reads a pattern: a regular expression in slashes, which whole is to match the
// whole key, or a text with placeholders.
func newPattern(v *value, whole bool) (*pattern, error) {
	if v.text == "" {
		return nil, v.pos.errorf("this pattern is empty")
	}
	if body, all, ok := slashes(v.text); ok {
		e, err := newExpression(v, body, all, whole)
		if err != nil {
			return nil, err
		}
		return &pattern{text: v.text, pos: v.pos, holes: e.holes(), regex: e}, nil
	}
	literals, holes, err := split(v, nil)
	if err != nil {
		return nil, err
	}
	p := &pattern{text: v.text, pos: v.pos, holes: holes, literals: literals}
	var re strings.Builder
	re.WriteString(`(?s)\A` + regexp.QuoteMeta(literals[0]))
	for i, h := range holes {
		if i > 0 && literals[i] == "" {
			return nil, v.pos.errorf("nothing stands between %s and %s: what is each to match?", holes[i-1], h)
		}
		if slices.ContainsFunc(holes[:i], func(other hole) bool { return other.name == h.name }) {
			return nil, v.pos.errorf("%s stands twice in %s: give the second another name", h, quote(v.text))
		}
		if i > 0 && len(literals[i]) > len(p.inner) {
			p.inner = literals[i]
		}
		re.WriteString("(" + h.expression() + ")" + regexp.QuoteMeta(literals[i+1]))
	}
	p.fallback = regexp.MustCompile(re.String() + `\z`)
	return p, nil
}

// expression is what a hole matches.
func (h hole) expression() string {
	switch h.kind {
	case anyParts:
		return `.+`
	case digits:
		return `[0-9]+`
	case choice:
		var words []string
		for _, w := range h.list {
			words = append(words, regexp.QuoteMeta(w))
		}
		return strings.Join(words, "|")
	}
	return `[^./]+`
}

// may reports whether a key can match, by what costs next to nothing.
func (p *pattern) may(key string) bool {
	if p.regex != nil {
		return p.regex.may(key)
	}
	first, last := p.literals[0], p.literals[len(p.literals)-1]
	if len(p.holes) == 0 {
		return key == first
	}
	return len(key) > len(first)+len(last) && strings.HasPrefix(key, first) && strings.HasSuffix(key, last) &&
		(p.inner == "" || strings.Contains(key, p.inner))
}

// begins is what a key that matches begins with, as far as that is known.
func (p *pattern) begins() string {
	switch {
	case p.regex == nil:
		return p.literals[0]
	case p.regex.prefix == "" && len(p.regex.needs) == 1:
		return p.regex.needs[0]
	}
	return p.regex.prefix
}

// maxTries is how many places of a key are tried before the fallback takes over, which takes
// linear time.
const maxTries = 1000

// match is what the holes stand for in a key, appended to values. Where there are several
// ways, the first hole has the longest text that it can have, then the second, as the groups
// of a regular expression have; of a list the first word.
func (p *pattern) match(key string, values []string) ([]string, bool) {
	if !p.may(key) {
		return values, false
	}
	if p.regex != nil {
		return p.regex.match(key, values)
	}
	n := len(values)
	s := search{p: p, key: key, values: values, tries: maxTries}
	switch {
	case s.from(0, len(p.literals[0])):
		return s.values, true
	case s.tries > 0:
		return values[:n], false
	}
	m := p.fallback.FindStringSubmatch(key)
	if m == nil {
		return values[:n], false
	}
	return append(values[:n], m[1:]...), true
}

// search is one key on its way through a pattern.
type search struct {
	p      *pattern
	key    string
	values []string
	tries  int
}

// from matches hole i and all after it to key[at:].
func (s *search) from(i, at int) bool {
	if i == len(s.p.holes) {
		return at == len(s.key)
	}
	h, next := &s.p.holes[i], s.p.literals[i+1]
	last := i+1 == len(s.p.holes)
	if h.kind == choice {
		for _, w := range h.list {
			if s.tries--; s.tries <= 0 {
				return false
			}
			if rest := s.key[at:]; strings.HasPrefix(rest, w) && strings.HasPrefix(rest[len(w):], next) && s.take(i, at, at+len(w)) {
				return true
			}
		}
		return false
	}
	end := at + h.extent(s.key[at:])
	if last {
		to := len(s.key) - len(next) // may has seen that the key ends with it
		return to > at && to <= end && s.take(i, at, to)
	}
	for end > at {
		if s.tries--; s.tries <= 0 {
			return false
		}
		// The last place at or before end where the next literal begins.
		n := strings.LastIndex(s.key[at+1:min(end+len(next), len(s.key))], next)
		if n < 0 {
			return false
		}
		end = at + 1 + n
		if s.take(i, at, end) {
			return true
		}
		end--
	}
	return false
}

// take has hole i stand for key[at:to], and goes on after the literal that follows.
func (s *search) take(i, at, to int) bool {
	n := len(s.values)
	s.values = append(s.values, s.key[at:to])
	if s.from(i+1, to+len(s.p.literals[i+1])) {
		return true
	}
	s.values = s.values[:n]
	return false
}

// extent is how far the text of a hole can go at most.
func (h hole) extent(s string) int {
	switch h.kind {
	case onePart:
		if n := strings.IndexAny(s, "./"); n >= 0 {
			return n
		}
	case digits:
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return i
			}
		}
	}
	return len(s)
}
