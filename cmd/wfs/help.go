package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// exitCodesKey is the annotation of a command that documents its exit codes.
const exitCodesKey = "exit codes"

// exitCodes is the annotations of a command with these exit codes.
func exitCodes(text string) map[string]string { return map[string]string{exitCodesKey: text} }

// usualExitCodes are those of most commands.
const usualExitCodes = "0 success, 1 failure, 2 wrong usage"

func newHelp(a *app, commands func() []*cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:         "help [COMMAND]",
		SuggestFor:  []string{"usage", "commands"},
		Short:       "tell more of a command",
		Example:     "  wfs help mount",
		Annotations: exitCodes(usualExitCodes),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range commands() {
				if len(args) == 0 {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("help takes one COMMAND")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Root().Help()
			}
			for _, c := range cmd.Root().Commands() {
				if c.Name() == args[0] && !c.Hidden {
					return c.Help()
				}
			}
			return unknownCommand(cmd.Root(), args[0])
		},
	}
}

// usageLine is how a command is called.
func usageLine(c *cobra.Command) string { return "wfs " + c.Use }

// writeHelp prints the help of one command. Its parts are the same in the manual.
func writeHelp(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, "wfs %s: %s\n\nusage: %s\n", c.Name(), c.Short, usageLine(c))
	for _, part := range []string{c.Long, c.Example} {
		if part = strings.Trim(part, "\n"); part != "" {
			fmt.Fprintf(w, "\n%s\n", part)
		}
	}
	fmt.Fprintf(w, "\nexit codes: %s\n", c.Annotations[exitCodesKey])
	if flags := c.LocalFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(w, "\nflags:\n%s", flags)
	}
}

// writeOverview prints what wfs is, and every command.
func writeOverview(w io.Writer, commands []*cobra.Command) {
	fmt.Fprint(w, "wfs shows the weights of a model as files. Nothing is converted, no pickle is run.\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-46s %s\n", usageLine(c), c.Short)
	}
	fmt.Fprint(w, `
wfs COMMAND --help tells more of each.

exit codes: 0 success, 1 failure, 2 wrong usage; scan: 0 clean, 2 unknown, 3 dangerous; diff: 1 differences, 2 trouble.
`)
}
