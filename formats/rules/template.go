package rules

import (
	"regexp"
	"slices"
	"strings"
)

// template is what new keys are made of: literals, and placeholders that a pattern binds.
type template struct {
	text     string
	pos      Pos
	literals []string
	holes    []hole
}

// newTemplate reads a template. groups reports whether a regular expression is among the
// patterns that bind it: then $1, \1 and ${name} are its groups, $0 the match, and $$ a $.
// ampersand takes & for the match too, as sed does.
func newTemplate(v *value, groups, ampersand bool) (*template, error) {
	var dollar func(string, int) (hole, string, int)
	if groups {
		dollar = func(text string, i int) (hole, string, int) { return reference(text, i, ampersand) }
	}
	literals, holes, err := split(v, dollar)
	if err != nil {
		return nil, err
	}
	return &template{v.text, v.pos, literals, holes}, nil
}

var referenceText = regexp.MustCompile(`^(?:[$\\]([0-9]{1,3})|\$\{([A-Za-z0-9_]+)\})`)

// reference reads a group's name at text[i:], or the text that stands there if it is none.
func reference(text string, i int, ampersand bool) (h hole, literal string, next int) {
	rest := text[i:]
	if m := referenceText.FindStringSubmatch(rest); m != nil {
		return hole{name: m[1] + m[2], kind: group}, "", i + len(m[0])
	}
	switch {
	case strings.HasPrefix(rest, "$$"):
		return hole{}, "$", i + 2
	case rest[0] == '&' && ampersand:
		return hole{name: "0", kind: group}, "", i + 1
	case rest[0] == '\\' && len(rest) > 1:
		return hole{}, rest[1:2], i + 2
	}
	return hole{}, rest[:1], i + 1
}

// find is the index of the hole of a name among holes, -1 for none.
func find(holes []hole, name string) int {
	return slices.IndexFunc(holes, func(h hole) bool { return h.name == name })
}

// fill is the text that a template becomes where hole i stands for value(i).
func (t *template) fill(value func(i int) string) string {
	if len(t.holes) == 0 {
		return t.literals[0]
	}
	var b strings.Builder
	n := 0
	for i := range t.holes {
		n += len(value(i))
	}
	for _, l := range t.literals {
		n += len(l)
	}
	b.Grow(n)
	for i := range t.holes {
		b.WriteString(t.literals[i])
		b.WriteString(value(i))
	}
	b.WriteString(t.literals[len(t.holes)])
	return b.String()
}
