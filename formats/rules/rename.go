package rules

import (
	"strings"
)

// Rename gives keys other names. It goes over every key, one after the other with all other
// renames.
type Rename struct {
	// Text is the rule in few words, for people.
	Text string
	Pos  Pos
	// Optional says that it may match no key.
	Optional bool

	from *pattern
	to   *template
	// bound is for each hole of the template that of the pattern, or -1 for the whole match.
	bound []int
}

func newRename(from, to *value) (*Rename, error) {
	p, err := newPattern(from, false)
	if err != nil {
		return nil, err
	}
	t, err := newTemplate(to, p.regex != nil, false)
	if err != nil {
		return nil, err
	}
	return makeRename(quote(from.text)+" to "+quote(to.text), p, t)
}

func makeRename(text string, p *pattern, t *template) (*Rename, error) {
	r := &Rename{Text: text, Pos: p.pos, from: p, to: t}
	for _, h := range t.holes {
		i := find(p.holes, h.name)
		if i < 0 && (h.kind != group || h.name != "0") {
			return nil, t.pos.errorf("%s stands in %s and not in %s: nothing says what it is", h, quote(t.text), quote(p.text))
		}
		r.bound = append(r.bound, i)
	}
	return r, nil
}

// ParseRename reads what --rename takes: strip:PREFIX, or s/REGEX/NEW/ as sed has it, with a
// g at its end for all matches of a key and any other character for the slash.
func ParseRename(flag, text string) (*Rename, error) {
	v := &value{pos: Pos{Name: flag}, text: text}
	if prefix, ok := strings.CutPrefix(text, "strip:"); ok {
		if prefix == "" {
			return nil, v.pos.errorf("strip: needs the prefix that goes: strip:module.")
		}
		from := &value{pos: v.pos, text: strings.NewReplacer("{", "{{", "}", "}}").Replace(prefix) + "{key*}"}
		p, err := newPattern(&value{pos: v.pos, text: from.text}, false)
		if err != nil {
			return nil, err
		}
		p.text = prefix
		return makeRename(text, p, &template{text, v.pos, []string{"", ""}, []hole{{name: "key", kind: anyParts}}})
	}
	regex, with, all, ok := sed(text)
	if !ok {
		return nil, v.pos.errorf("%s is not s/REGEX/NEW/, s/REGEX/NEW/g or strip:PREFIX", quote(text))
	}
	e, err := newExpression(v, regex, all, false)
	if err != nil {
		return nil, err
	}
	t, err := newTemplate(&value{pos: v.pos, text: with}, true, true)
	if err != nil {
		return nil, err
	}
	return makeRename(text, &pattern{text: regex, pos: v.pos, holes: e.holes(), regex: e}, t)
}

// sed takes s/REGEX/NEW/ apart. A backslash takes the power of the slash, or what stands for
// it, and is gone then.
func sed(text string) (regex, with string, all, ok bool) {
	if len(text) < 2 || text[0] != 's' || strings.IndexByte("\\\n", text[1]) >= 0 || text[1] >= 0x80 || isWord(text[1]) {
		return "", "", false, false
	}
	var fields []string
	var b strings.Builder
	for i := 2; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == text[1]:
			i++
			b.WriteByte(text[1])
		case c == '\\' && i+1 < len(text):
			b.WriteString(text[i : i+2])
			i++
		case c == text[1]:
			fields = append(fields, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	flags := b.String()
	if len(fields) != 2 || fields[0] == "" || flags != "" && flags != "g" {
		return "", "", false, false
	}
	return fields[0], fields[1], flags == "g", true
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == ' '
}

// apply is the name that a key becomes, and whether the rule has matched it. values is memory
// to use.
func (r *Rename) apply(key string, values []string) (string, bool) {
	if r.from.regex != nil {
		return r.substitute(key)
	}
	values, ok := r.from.match(key, values[:0])
	if !ok {
		return key, false
	}
	return r.to.fill(func(i int) string { return values[r.bound[i]] }), true
}

// substitute replaces the first match of a regular expression in a key, or all of them.
func (r *Rename) substitute(key string) (string, bool) {
	e := r.from.regex
	if !e.may(key) {
		return key, false
	}
	if !e.all {
		m := e.re.FindStringSubmatchIndex(key)
		if m == nil {
			return key, false
		}
		return key[:m[0]] + r.replacement(key, m) + key[m[1]:], true
	}
	matches := e.re.FindAllStringSubmatchIndex(key, -1)
	if matches == nil {
		return key, false
	}
	var b strings.Builder
	at := 0
	for _, m := range matches {
		b.WriteString(key[at:m[0]])
		b.WriteString(r.replacement(key, m))
		at = m[1]
	}
	b.WriteString(key[at:])
	return b.String(), true
}

// replacement is what stands in the place of a match.
func (r *Rename) replacement(key string, m []int) string {
	return r.to.fill(func(i int) string {
		g := 2 * (r.bound[i] + 1)
		if m[g] < 0 { // a group that took no part
			return ""
		}
		return key[m[g]:m[g+1]]
	})
}
