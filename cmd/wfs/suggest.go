package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/keys"
)

// Suggestions for a name that was mistyped. Cobra has some for commands, on lines of
// their own, and none for flags; an error of wfs is one line.

// didYouMean is the end of an error line: "" where nothing is similar.
func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", did you mean " + strings.Join(names, " or ") + "?"
}

// similarCommands is the commands that typed can have meant: one that goes by that name
// elsewhere, else those that are spelled like it.
func similarCommands(root *cobra.Command, typed string) []string {
	var names []string
	for _, c := range root.Commands() {
		if c.Hidden {
			continue
		}
		if slices.Contains(c.SuggestFor, strings.ToLower(typed)) {
			return []string{c.Name()}
		}
		names = append(names, c.Name())
	}
	return closest(typed, names)
}

// similarFlags is the flags of a command that are spelled like typed.
func similarFlags(cmd *cobra.Command, typed string) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	similar := closest(typed, names)
	for i, name := range similar {
		similar[i] = "--" + name
	}
	return similar
}

// maxTypos is how many letters may be wrong, missing or too many.
const maxTypos = 2

// closest is the names that typed is the fewest typos away from, or begins. A short name
// has fewer letters to recognize it by, and may have fewer of them wrong.
func closest(typed string, names []string) []string {
	typed = strings.ToLower(typed)
	var found []string
	best := min(maxTypos, len(typed)/2)
	for _, name := range names {
		typos := keys.Distance(typed, name)
		if len(typed) > 1 && strings.HasPrefix(name, typed) {
			typos = 0
		}
		switch {
		case typos < best:
			found, best = []string{name}, typos
		case typos == best && typos < len(name):
			found = append(found, name)
		}
	}
	return found
}

// noSuchKey is the error of a key or pattern that fits none of all, and names the nearest.
func noSuchKey(path, typed string, all iter.Seq[string]) error {
	if keys.IsPattern(typed) {
		return fmt.Errorf("%s: no tensor matches %.200q (wfs ls lists them)", path, typed)
	}
	near := keys.Nearest(typed, all)
	for i, key := range near {
		near[i] = fmt.Sprintf("%.200q", key)
	}
	hint := didYouMean(near)
	if hint == "" {
		hint = " (wfs ls lists them)"
	}
	return fmt.Errorf("%s: no tensor is called %.200q%s", path, typed, hint)
}
