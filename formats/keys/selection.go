package keys

// Selection is the keys that patterns pick, and what lies below them; without a pattern all
// keys. It knows which of the patterns have picked something.
type Selection struct {
	texts    []string
	patterns []Pattern
	used     []bool
}

// Select makes a selection of patterns.
func Select(patterns []string) *Selection {
	s := &Selection{patterns, make([]Pattern, len(patterns)), make([]bool, len(patterns))}
	for i, p := range patterns {
		s.patterns[i] = CompileBelow(p)
	}
	return s
}

// Takes reports whether one of the patterns picks a key.
func (s *Selection) Takes(key string) bool {
	takes := len(s.patterns) == 0
	for i, p := range s.patterns {
		if p.Match(key) {
			takes, s.used[i] = true, true
		}
	}
	return takes
}

// Unused is the first pattern that has picked no key so far, if there is one.
func (s *Selection) Unused() (pattern string, ok bool) {
	for i, used := range s.used {
		if !used {
			return s.texts[i], true
		}
	}
	return "", false
}
