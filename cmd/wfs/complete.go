package main

import (
	"strings"

	"github.com/spf13/cobra"

	"wfs/formats"
)

// The functions here say what the tab key offers. The shells filter by what was typed.

// completeFlag has a flag's values completed by a function.
func completeFlag(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic(err) // the command has no such flag
	}
}

// completeArgs has the shell complete each argument by itself, in the way that is given for
// it, and none after them.
func completeArgs(ways ...cobra.ShellCompDirective) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) < len(ways) {
			return nil, ways[len(args)]
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeRoot offers the keys that --root can name in the SOURCE that is on the command
// line already.
func completeRoot(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	keys := []cobra.Completion{cobra.CompletionWithDesc(".", "everything")}
	if len(args) > 0 && !formats.IsRemote(args[0]) {
		keys = append(keys, askRootKeys(args[0], typed)...)
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}

// shellSafe reports whether a name can be put on a command line as it is, spaces aside. What
// several names have in common, bash puts there unquoted, and evaluates it at the next tab.
func shellSafe(s string) bool {
	return visible(s) == s && strings.TrimSpace(s) == s && !strings.ContainsAny(s, "$`\\\"'|&;<>(){}[]*?!#~")
}
