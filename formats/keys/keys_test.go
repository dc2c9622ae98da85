package keys

import (
	"slices"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern   string
		yes, no   string // separated by spaces
		yesBelow  string
		isPattern bool
	}{
		{"a.b", "a.b", "a.bc a-b a.b.c", "a.b.c a.b/c", false},
		{"a.*", "a. a.b a.b.c", "a b.a.b", "", true},
		{"*.weight", "a.weight a.b.weight", "weight a.weights", "a.weight.0", true},
		{"l.?.w", "l.0.w l.é.w l.\xff.w", "l.10.w l..w", "", true},
		{"l.[0-3].*", "l.0.w l.3.w", "l.4.w l.10.w", "", true},
		{"l.[!0-3].w", "l.4.w", "l.0.w", "", true},
		{"[]a]b", "]b ab", "b []ab", "", true},
		{"x[", "x[", "x", "x[.y", true},
		{"x[z-a]", "x[z-a]", "xz", "", true},
		{"{q,k}_proj.{weight,bias}", "q_proj.weight k_proj.bias", "v_proj.bias q_proj", "", true},
		{"{a,{b,c}d}", "a bd cd", "b d", "", true},
		{"a{", "a{", "a", "", true},
		{"a}b,c", "a}b,c", "a", "", false},
		{`a\*b`, `a*b a\*b`, "axb", "", true},
		{"lstm[0].w", "lstm[0].w lstm0.w", "lstm.w", "", true},
		{"a+b(c)|d^$", "a+b(c)|d^$", "aab", "", false},
		{"[^a]", "b", "a", "", true},
		{"\xff", "\xff", "a", "", false},
	} {
		p, below := Compile(c.pattern), CompileBelow(c.pattern)
		for _, key := range strings.Fields(c.yes) {
			if !p.Match(key) || !below.Match(key) {
				t.Errorf("%q does not match %q", c.pattern, key)
			}
		}
		for _, key := range strings.Fields(c.no) {
			if p.Match(key) {
				t.Errorf("%q matches %q", c.pattern, key)
			}
		}
		for _, key := range strings.Fields(c.yesBelow) {
			if !below.Match(key) {
				t.Errorf("nothing below %q is %q", c.pattern, key)
			}
		}
		if IsPattern(c.pattern) != c.isPattern {
			t.Errorf("IsPattern(%q) is %v", c.pattern, !c.isPattern)
		}
	}
	if !Compile("a*b").Match("a\nb") {
		t.Error("a line feed")
	}
}

func TestSelection(t *testing.T) {
	all := Select(nil)
	if _, unused := all.Unused(); !all.Takes("x") || unused {
		t.Error("no pattern does not take all")
	}
	s := Select([]string{"a", "b*", "c"})
	for key, want := range map[string]bool{"a": true, "a.x": true, "bx": true, "x": false, "ax": false} {
		if s.Takes(key) != want {
			t.Errorf("Takes(%q) is %v", key, !want)
		}
	}
	if p, ok := s.Unused(); p != "c" || !ok {
		t.Errorf("Unused() = %q, %v", p, ok)
	}
}

func TestNearest(t *testing.T) {
	all := []string{"model.layers.0.q_proj.weight", "model.layers.0.k_proj.weight", "model.layers.10.q_proj.weight", "lm_head.weight", "model.norm.weight", "b"}
	for typed, want := range map[string]string{
		"lm_head.wieght":                      "lm_head.weight",
		"lm_haed":                             "lm_head.weight",
		"nrom.weight":                         "model.norm.weight",
		"LM_Head.weight":                      "lm_head.weight",
		"module.model.norm.weight":            "model.norm.weight",
		"norm.weight":                         "model.norm.weight",
		"model.layers.0.q_proj":               "model.layers.0.q_proj.weight",
		"model.layers.0.q_projj.weight":       "model.layers.0.q_proj.weight model.layers.0.k_proj.weight model.layers.10.q_proj.weight",
		"q_proj":                              "model.layers.0.q_proj.weight model.layers.10.q_proj.weight",
		"nothing like any of them whatsoever": "",
		"":                                    "",
		"c":                                   "",
	} {
		if got := strings.Join(Nearest(typed, slices.Values(all)), " "); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"", "abc"}: 3, {"abc", ""}: 3, {"abc", "abc"}: 0, {"abc", "acb"}: 1,
		{"kitten", "sitting"}: 3, {"mount", "moutn"}: 1, {"ca", "abc"}: 3,
	} {
		if got := Distance(pair[0], pair[1]); got != want {
			t.Errorf("Distance(%q) = %d, want %d", pair, got, want)
		}
	}
}

func TestCompare(t *testing.T) {
	sorted := []string{"", "a", "a.1", "a.01", "a.2", "a.2.b", "a.2.c", "a.10", "a.10.a", "a.18446744073709551616", "ab", "b", "b1"}
	slices.SortFunc(sorted[1:4], strings.Compare)
	shuffled := slices.Clone(sorted)
	slices.Reverse(shuffled)
	slices.SortFunc(shuffled, Compare)
	if !slices.Equal(shuffled, sorted) {
		t.Errorf("%q, want %q", shuffled, sorted)
	}
}
