package rules

import (
	"fmt"
	"strconv"
)

// Why says line by line how a tensor of the view came to be, in the order in which it did:
// the place of each rule that changed it, and what became of it. keys are those that Apply
// was given.
func (r *Result) Why(keys []Key) []string {
	var lines []string
	for _, inputs := range r.Inputs {
		for _, i := range inputs {
			lines = append(lines, r.file.renames(keys[i].Name)...)
		}
	}
	if r.Rule == nil {
		return lines
	}
	verb := "made by"
	if len(r.Rule.Steps) == 0 {
		verb = "called so by"
	}
	return append(lines, fmt.Sprintf("%s: %s %s", r.Rule.Pos, verb, r.how(quote)))
}

// By says in a line how a rule made a tensor, "" where none did. No two results of one input
// have the same.
func (r *Result) By() string {
	if r.Rule == nil || len(r.Rule.Steps) == 0 || r.Rule.Alias {
		return ""
	}
	by := fmt.Sprintf("made by %s (%s)", r.how(strconv.Quote), r.Rule.Pos) // whole: a name that is cut could be another's
	if r.Output > 0 {
		by += fmt.Sprintf(", output %d", r.Output)
	}
	return by
}

// how is the rule, and what its loop stands for.
func (r *Result) how(quote func(string) string) string {
	how := r.Rule.Text()
	for i, name := range r.Rule.loop {
		if i == 0 {
			how += ", for "
		} else {
			how += ", "
		}
		how += fmt.Sprintf("%s = %s", name, quote(r.Bindings[name]))
	}
	return how
}

// renames are the lines on the renames that change a key, with what it is called after each.
func (f *File) renames(name string) []string {
	var lines []string
	for _, r := range f.Renames {
		next, ok := r.apply(name, nil)
		if ok && next != name {
			lines = append(lines, fmt.Sprintf("%s: %s is renamed to %s by %s", r.Pos, quote(name), quote(next), r.Text))
			name = next
		}
	}
	return lines
}
