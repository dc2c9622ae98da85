package rules

import (
	"fmt"
	"strings"
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
	line := fmt.Sprintf("%s: %s %s", r.Rule.Pos, verb, r.Rule.Text())
	var bindings []string
	for _, name := range r.Rule.loop {
		bindings = append(bindings, fmt.Sprintf("%s = %s", name, quote(r.Bindings[name])))
	}
	if bindings != nil {
		line += ", for " + strings.Join(bindings, ", ")
	}
	return append(lines, line)
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
