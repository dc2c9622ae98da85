package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats/rules"
)

func newMan(a *app, commands func() []*cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:               "man",
		SuggestFor:        []string{"manual", "doc", "docs"},
		Short:             "print the manual page",
		Long:              "The page is made of the help of all commands.",
		Annotations:       exitCodes(usualExitCodes),
		ValidArgsFunction: cobra.NoFileCompletions,
		Args:              noArgs,
		Example: `
  wfs man > /usr/local/share/man/man1/wfs.1
  wfs man | man -l -`,
		RunE: func(*cobra.Command, []string) error {
			writeManual(a.stdout, commands())
			return nil
		},
	}
}

// The page is written here and not by cobra/doc, which makes a page of each command by way
// of Markdown: it adds three modules, has no place for what follows the commands, and leaves
// the hyphens and quotes of examples to groff, some versions of which print typographic ones
// that cannot be pasted into a shell.

// roff escapes text for groff_man(7): no character is a command, and a hyphen is the
// one that a user can paste into a shell.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func writeManual(w io.Writer, commands []*cobra.Command) {
	fmt.Fprintf(w, ".TH WFS 1 \"\" \"wfs %s\" \"User Commands\"\n", roff(version))
	fmt.Fprint(w, ".SH NAME\nwfs \\- show the weights of a model as files\n.SH SYNOPSIS\n.nf\n")
	for _, c := range commands {
		name, args, _ := strings.Cut(c.Use, " ")
		fmt.Fprintf(w, "\\fBwfs %s\\fP %s\n", name, roff(args))
	}
	fmt.Fprint(w, ".fi\n.SH COMMANDS\n")
	for _, c := range commands {
		manualCommand(w, c)
	}
	manualRules(w)
	fmt.Fprint(w, mountManual+`.SH EXIT STATUS
0 success, 1 failure, 2 wrong usage. For wfs scan: 0 clean, 2 something unknown,
3 something dangerous, 1 failure.
`+mountFiles)
}

func manualCommand(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, ".SS %s\n%s.\n", roff(usageLine(c)), roff(c.Short))
	for _, paragraph := range strings.Split(strings.Trim(c.Long, "\n"), "\n\n") {
		if paragraph != "" {
			fmt.Fprintf(w, ".PP\n%s\n", roff(paragraph))
		}
	}
	fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", roff(strings.Trim(c.Example, "\n")))
	fmt.Fprintf(w, ".PP\nexit codes: %s\n", roff(c.Annotations[exitCodesKey]))
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			name += " " + kind
		}
		if f.Value.Type() == "string" && f.DefValue != "" { // a default that is the user's own is not for a manual
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(name), roff(usage))
	})
}

// manualRules is the chapter of files of rules: the examples, each of which is tested against
// the tool that does the same.
func manualRules(w io.Writer) {
	fmt.Fprint(w, ".SH FILES OF RULES\nwfs view tells what they may hold; wfs view \\-\\-example NAME prints one of these.\n")
	for _, e := range rules.Examples() {
		fmt.Fprintf(w, ".SS %s\n.nf\n%s\n.fi\n", roff(e.Name+".toml"), roff(strings.TrimSpace(e.Text)))
	}
}
