package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
		typos := distance(typed, name)
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

// distance is the number of letters to insert, delete or replace that make b of a
// (Levenshtein), where two neighbours that changed places count as one.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
