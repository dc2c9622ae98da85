package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot builds the tree of commands. Nothing of it is shared: each run has its own.
func newRoot(a *app) *cobra.Command {
	var commands []*cobra.Command // in the order of the help, which cobra forgets
	listed := func() []*cobra.Command { return commands }
	commands = append(mountCommands(a),
		newLs(a), newCp(a), newCat(a), newReport(a), newServe(a), newSum(a), newDiff(a), newView(a), newScan(a), newCompletion(a), newMan(a, listed), newVersion(a),
	)
	help := newHelp(a, listed)

	var version bool
	root := &cobra.Command{
		Use:   "wfs",
		Short: "show the weights of a model as files",
		RunE: func(*cobra.Command, []string) error {
			if version {
				return a.printVersion()
			}
			writeOverview(a.stderr, commands)
			return exitError(exitUsage)
		},
		SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true, // run says it in one line
	}
	root.Flags().BoolVarP(&version, "version", "V", false, "print the version")
	root.PersistentFlags().BoolP("help", "h", false, "tell more of a command")
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		if cmd.HasParent() {
			writeHelp(a.stdout, cmd)
		} else {
			writeOverview(a.stdout, commands)
		}
	})
	root.SetHelpCommand(help)
	root.AddCommand(commands...)
	root.AddCommand(newRootKeys(a))
	for _, cmd := range commands {
		cmd.Flags().SortFlags = false
	}
	return root
}

// execute runs the command that args name.
func execute(root *cobra.Command, args []string) error {
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	var usage usageError
	var code exitError
	if err == nil || cmd != root || errors.As(err, &usage) || errors.As(err, &code) {
		return err
	}
	// All that cobra itself finds fault with at the root is a command that is not there.
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return unknownCommand(root, arg)
		}
	}
	return usageError{err}
}

// noArgs is for commands that take none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments", cmd.Name())
	}
	return nil
}

func unknownCommand(root *cobra.Command, name string) error {
	if why := notHere(name); why != "" {
		return usagef("unknown command %q: %s", name, why)
	}
	return usagef("unknown command %q%s", name, didYouMean(similarCommands(root, name)))
}

// flagError names the command whose flags could not be parsed, and the flag that may
// have been meant.
func flagError(cmd *cobra.Command, err error) error {
	hint := ""
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			name = strings.TrimLeft(short, "-") // -layout is --layout with a hyphen too few
		}
		if len(name) > 1 {
			hint = didYouMean(similarFlags(cmd, name))
		}
	}
	if cmd.HasParent() {
		err = fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	return usagef("%w%s", err, hint)
}
