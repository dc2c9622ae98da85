package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

var completionCommand = command{
	name: "completion", args: "bash|zsh|fish", summary: "print a completion script for a shell",
	help: `
  wfs completion bash > /etc/bash_completion.d/wfs
  wfs completion zsh > "${fpath[1]}/_wfs"
  wfs completion fish > ~/.config/fish/completions/wfs.fish

exit codes: 0 success, 2 wrong usage`,
	new: func(*pflag.FlagSet) func([]string) error {
		return func(args []string) error {
			if len(args) != 1 {
				return usagef("completion takes bash, zsh or fish")
			}
			write, ok := map[string]func(io.Writer){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[args[0]]
			if !ok {
				return usagef("completion takes bash, zsh or fish, not %q", args[0])
			}
			write(os.Stdout)
			return nil
		}
	},
}

// flagsOf are the flags of a command.
func flagsOf(c command) *pflag.FlagSet {
	flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	c.new(flags)
	return flags
}

func completeBash(w io.Writer) {
	var names []string
	fmt.Fprint(w, "_wfs() {\n  local cur=${COMP_WORDS[COMP_CWORD]}\n  COMPREPLY=()\n  if [[ $cur == -* ]]; then\n    case ${COMP_WORDS[1]} in\n")
	for _, c := range completed() {
		names = append(names, c.name)
		var flags []string
		flagsOf(c).VisitAll(func(f *pflag.Flag) { flags = append(flags, "--"+f.Name) })
		fmt.Fprintf(w, "      %s) COMPREPLY=($(compgen -W '%s --help' -- \"$cur\")) ;;\n", c.name, strings.Join(flags, " "))
	}
	fmt.Fprintf(w, "    esac\n  elif [[ $COMP_CWORD == 1 ]]; then\n    COMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n", strings.Join(names, " "))
	fmt.Fprint(w, "  else\n    COMPREPLY=($(compgen -f -- \"$cur\"))\n  fi\n}\ncomplete -o filenames -F _wfs wfs\n")
}

func completeZsh(w io.Writer) {
	fmt.Fprint(w, "#compdef wfs\n_wfs() {\n  local -a commands\n  commands=(\n")
	for _, c := range completed() {
		fmt.Fprintf(w, "    '%s:%s'\n", c.name, strings.ReplaceAll(c.summary, "'", ""))
	}
	fmt.Fprint(w, "  )\n  if (( CURRENT == 2 )); then _describe command commands; return; fi\n  case $words[2] in\n")
	for _, c := range completed() {
		fmt.Fprintf(w, "    %s) _arguments '*:file:_files'", c.name)
		flagsOf(c).VisitAll(func(f *pflag.Flag) {
			fmt.Fprintf(w, " '--%s[%s]'", f.Name, strings.NewReplacer("'", "", "[", "(", "]", ")").Replace(f.Usage))
		})
		fmt.Fprintln(w, " ;;")
	}
	fmt.Fprint(w, "  esac\n}\n_wfs \"$@\"\n")
}

func completeFish(w io.Writer) {
	for _, c := range completed() {
		fmt.Fprintf(w, "complete -c wfs -n __fish_use_subcommand -a %s -d '%s'\n", c.name, strings.ReplaceAll(c.summary, "'", ""))
		flagsOf(c).VisitAll(func(f *pflag.Flag) {
			fmt.Fprintf(w, "complete -c wfs -n '__fish_seen_subcommand_from %s' -l %s -d '%s'\n", c.name, f.Name, strings.ReplaceAll(f.Usage, "'", ""))
		})
	}
}

// completed are the commands that scripts complete, and the manual describes: all but
// those that read this list, which would refer to themselves.
func completed() []command {
	return []command{mountCommand, umountCommand, lsCommand, scanCommand, statusCommand, versionCommand}
}
