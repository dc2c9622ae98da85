package rules

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// expression is a regular expression of a rule (RE2: its time is linear in the key).
type expression struct {
	re *regexp.Regexp
	// all has every match of a key replaced, not the first alone.
	all bool
	// prefix is what a match begins with at the start of the key, "" where that is not known.
	prefix string
	// needs are texts of which a key that matches holds one; none where that is not known.
	// Without it 50 expressions on 100 000 keys take seconds.
	needs []string
}

// maxInstructions is the largest program of an expression: what matching a key costs is its
// product with the bytes of the key.
const maxInstructions = 2000

// slashes is what stands between slashes, as in /^module\./ or, for all matches, /_g$/g.
func slashes(text string) (body string, all, ok bool) {
	body, all = strings.CutSuffix(text, "/g")
	if !all {
		body, ok = strings.CutSuffix(text, "/")
		if !ok {
			return "", false, false
		}
	}
	body, ok = strings.CutPrefix(body, "/")
	return body, all, ok && body != ""
}

// newExpression compiles what stands in v. whole has it match whole keys.
func newExpression(v *value, body string, all, whole bool) (*expression, error) {
	if len(body) > maxPattern {
		return nil, v.pos.errorf("the regular expression has %d bytes, and at most %d are taken", len(body), maxPattern)
	}
	if whole {
		body = `\A(?:` + body + `)\z`
	}
	parsed, err := syntax.Parse(body, syntax.Perl|syntax.DotNL)
	if err != nil {
		return nil, v.pos.errorf("%s is not a regular expression of RE2: %s", quote(v.text), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	parsed = parsed.Simplify()
	program, err := syntax.Compile(parsed)
	if err != nil || len(program.Inst) > maxInstructions {
		return nil, v.pos.errorf("the regular expression %s is too large: repeat less", quote(v.text))
	}
	re, err := regexp.Compile(`(?s)` + body)
	if err != nil {
		return nil, v.pos.errorf("%s is not a regular expression: %v", quote(v.text), err)
	}
	if re.NumSubexp() > maxHoles {
		return nil, v.pos.errorf("the regular expression has %d groups, and at most %d are taken", re.NumSubexp(), maxHoles)
	}
	e := &expression{re: re, all: all, needs: needs(parsed)}
	if parsed.Op == syntax.OpConcat && len(parsed.Sub) > 1 && parsed.Sub[0].Op == syntax.OpBeginText && len(e.needs) == 1 {
		if text, ok := literal(parsed.Sub[1]); ok && text == e.needs[0] {
			e.prefix, e.needs = text, nil
		}
	}
	return e, nil
}

// may reports whether a key can match, by what costs next to nothing.
func (e *expression) may(key string) bool {
	if !strings.HasPrefix(key, e.prefix) {
		return false
	}
	for _, need := range e.needs {
		if strings.Contains(key, need) {
			return true
		}
	}
	return len(e.needs) == 0
}

// match is the groups of a match of the whole key.
func (e *expression) match(key string, values []string) ([]string, bool) {
	m := e.re.FindStringSubmatch(key)
	if m == nil {
		return values, false
	}
	return append(values, m[1:]...), true
}

// holes are the groups by name, or by number where they have none.
func (e *expression) holes() []hole {
	var holes []hole
	for i, name := range e.re.SubexpNames()[1:] {
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		holes = append(holes, hole{name: name, kind: group})
	}
	return holes
}

// literal is the text that an expression is.
func literal(re *syntax.Regexp) (string, bool) {
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 {
		return string(re.Rune), true
	}
	return "", false
}

// mostNeeds is how many texts may are looked for: more cost more than the expression does.
const mostNeeds = 8

// needs are texts of which every match holds one; nil where there are none. Of several such
// sets it is that whose shortest text is the longest.
func needs(re *syntax.Regexp) []string {
	if text, ok := literal(re); ok {
		return []string{text}
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return needs(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needs(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if set := needs(sub); shortest(set) > shortest(best) {
				best = set
			}
		}
		return best
	case syntax.OpAlternate:
		var union []string
		for _, sub := range re.Sub {
			set := needs(sub)
			if set == nil {
				return nil
			}
			union = append(union, set...)
		}
		if len(union) <= mostNeeds {
			return union
		}
	}
	return nil
}

// shortest is the length of the shortest text, 0 for none.
func shortest(set []string) int {
	n := 0
	for i, s := range set {
		if i == 0 || len(s) < n {
			n = len(s)
		}
	}
	return n
}
