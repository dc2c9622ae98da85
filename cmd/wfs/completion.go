package main

import (
	"fmt"
	"io"
	"strings"
	"wfs/formats/tree"

	"github.com/spf13/pflag"
)

var completionCommand = command{
	name: "completion", args: "bash|zsh|fish", summary: "print a completion script for a shell",
	help: `
make install puts the scripts where the shells look for them. By hand:

  wfs completion bash > /etc/bash_completion.d/wfs
  wfs completion zsh > "${fpath[1]}/_wfs"
  wfs completion fish > ~/.config/fish/completions/wfs.fish

exit codes: 0 success, 1 failure, 2 wrong usage`,
	new: func(*pflag.FlagSet) func([]string) error {
		return func(args []string) error {
			if len(args) != 1 {
				return usagef("completion takes bash, zsh or fish")
			}
			write, ok := map[string]func(io.Writer){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[args[0]]
			if !ok {
				return usagef("completion takes bash, zsh or fish, not %q", args[0])
			}
			return toStdout(write)
		}
	},
}

// The scripts are written here because pflag writes none, and those of cobra, which
// does, come with its way of making commands. They know the commands, the flags and
// the words below; for all else the shells complete files.

// flagWords are the values of flags that take one of a few.
var flagWords = map[string][]string{
	"layout": {tree.Full, tree.HF, tree.Tensors}, "log-level": {"error", "warn", "info", "debug"},
}

// argWords are the arguments of commands that take one of a few.
func argWords(c command) []string {
	switch c.name {
	case "help":
		return commandNames()
	case "completion":
		return strings.Split(c.args, "|")
	}
	return nil
}

// completed is every command with its flags, and help, which is none.
func completed() []command {
	help := command{name: "help", summary: "tell more of a command", new: func(*pflag.FlagSet) func([]string) error { return nil }}
	return append(commands[:len(commands):len(commands)], help)
}

func commandNames() (names []string) {
	for _, c := range commands {
		names = append(names, c.name)
	}
	return names
}

// flagsOf are the flags of a command.
func flagsOf(c command) *pflag.FlagSet {
	flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	flags.SortFlags = false
	c.new(flags)
	return flags
}

// quote makes one word of text, for bash and zsh.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func completeBash(w io.Writer) {
	fmt.Fprint(w, `_wfs() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  case $COMP_CWORD:${COMP_WORDS[1]}:$prev in
`)
	fmt.Fprintf(w, "    1:*) words=%s ;;\n", quote(strings.Join(append(commandNames(), "help"), " ")))
	for _, c := range completed() {
		flags := "--help"
		flagsOf(c).VisitAll(func(f *pflag.Flag) {
			flags += " --" + f.Name
			if words := flagWords[f.Name]; words != nil {
				fmt.Fprintf(w, "    *:%s:--%s) words=%s ;;\n", c.name, f.Name, quote(strings.Join(words, " ")))
			}
		})
		fmt.Fprintf(w, "    *:%s:*) [[ $cur == -* ]] && words=%s || words=%s ;;\n", c.name, quote(flags), quote(strings.Join(argWords(c), " ")))
	}
	fmt.Fprint(w, `  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _wfs wfs
`)
}

func completeZsh(w io.Writer) {
	text := strings.NewReplacer("[", `\[`, "]", `\]`)
	fmt.Fprint(w, "#compdef wfs\n_wfs() {\n  local -a commands\n  commands=(\n")
	for _, c := range completed() {
		fmt.Fprintf(w, "    %s\n", quote(c.name+":"+c.summary))
	}
	fmt.Fprint(w, `  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
`)
	for _, c := range completed() {
		fmt.Fprintf(w, "    %s) _arguments", c.name)
		flagsOf(c).VisitAll(func(f *pflag.Flag) {
			kind, usage := pflag.UnquoteUsage(f)
			spec := "[" + text.Replace(usage) + "]"
			if kind != "" { // it takes a value
				spec = "=" + spec + ":" + kind + ":" + zshAction(flagWords[f.Name])
			}
			fmt.Fprintf(w, " %s", quote("--"+f.Name+spec))
		})
		fmt.Fprintf(w, " '*:argument:%s' ;;\n", zshAction(argWords(c)))
	}
	fmt.Fprint(w, "  esac\n}\n_wfs \"$@\"\n")
}

// zshAction completes words, or files where there are none.
func zshAction(words []string) string {
	if words == nil {
		return "_files"
	}
	return "(" + strings.Join(words, " ") + ")"
}

func completeFish(w io.Writer) {
	quote := func(text string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
	}
	for _, c := range completed() {
		fmt.Fprintf(w, "complete -c wfs -f -n __fish_use_subcommand -a %s -d %s\n", c.name, quote(c.summary))
		seen := "__fish_seen_subcommand_from " + c.name
		if words := argWords(c); words != nil {
			fmt.Fprintf(w, "complete -c wfs -f -n %s -a %s\n", quote(seen), quote(strings.Join(words, " ")))
		}
		flagsOf(c).VisitAll(func(f *pflag.Flag) {
			kind, usage := pflag.UnquoteUsage(f)
			fmt.Fprintf(w, "complete -c wfs -n %s -l %s -d %s", quote(seen), f.Name, quote(usage))
			if f.Shorthand != "" {
				fmt.Fprintf(w, " -s %s", f.Shorthand)
			}
			if words := flagWords[f.Name]; words != nil {
				fmt.Fprintf(w, " -x -a %s", quote(strings.Join(words, " ")))
			} else if kind != "" {
				fmt.Fprint(w, " -r")
			}
			fmt.Fprintln(w)
		})
	}
}
