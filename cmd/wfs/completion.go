package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:        "completion bash|zsh|fish",
		SuggestFor: []string{"complete", "completions"},
		Short:      "print a completion script for a shell",
		Long: `
make install puts the scripts where the shells look for them. They ask wfs for what
can be completed: commands, flags, mountpoints, the keys of a file. By hand:`,
		Example: `
  wfs completion bash > /etc/bash_completion.d/wfs
  wfs completion zsh > "${fpath[1]}/_wfs"
  wfs completion fish > ~/.config/fish/completions/wfs.fish`,
		Annotations: exitCodes(usualExitCodes),
		ValidArgs:   shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("completion takes bash, zsh or fish")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			script, err := completionScript(cmd.Root(), args[0])
			if err == nil {
				a.stdout.WriteString(script)
			}
			return err
		},
	}
}

// completionScript is cobra's script for a shell, mended. All of them evaluate the line that
// is completed, which must not run a command or write a file: such a line is left to the
// completion of file names. All but bash's take the flag of --option=layout=hf to end at the
// last =. Fish's evaluates words that have lost their quotes. TestCompletion checks each.
func completionScript(root *cobra.Command, shell string) (string, error) {
	var script strings.Builder
	firstEqual := strings.NewReplacer(`'-.*='`, `'^-[^=]*='`)
	switch shell {
	case "bash":
		err := root.GenBashCompletionV2(&script, true)
		return script.String() + bashAlone, err
	case "zsh":
		err := root.GenZshCompletion(&script)
		const words = `words=("${=words[1,CURRENT]}")` + "\n"
		guard := strings.NewReplacer(words, words+"    if [[ \"${words[*]}\" == (*[\\<\\>\\`]*|*'$('*) ]]; then\n        _files\n        return\n    fi\n")
		return guard.Replace(firstEqual.Replace(script.String())), err
	case "fish":
		err := root.GenFishCompletion(&script, true)
		const words = "set -l args (commandline -opc)\n"
		guard := strings.NewReplacer(words, "set -l args (commandline -opc | string replace -a ' ' '\\ ')\n"+
			"    if commandline -pc | string match -qr '[()<>]'\n        return\n    end\n")
		return guard.Replace(firstEqual.Replace(script.String())), err
	}
	return "", usagef("completion takes bash, zsh or fish, not %q", shell)
}

// bashAlone follows cobra's script for bash, which needs the package bash-completion.
const bashAlone = `
# What follows replaces what the package bash-completion is needed for above.

# Splits the line up to the cursor as a shell does, where COMP_WORDS splits at = and : too.
__wfs_words() {
    local line=${COMP_LINE:0:COMP_POINT} word i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then # up to the cursor
            word=${line#"${line%%[![:blank:]]*}"}
        fi
        if ((i > 0)) && [[ $line != [[:blank:]]* && ( $word == [=:]* || ${words[-1]} == *[=:] ) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${line#*"${COMP_WORDS[i]}"}
    done
    cword=$((${#words[@]} - 1))
    cur=${words[cword]} prev=${words[cword > 0 ? cword - 1 : 0]}
}

__wfs_init_completion() { __wfs_words; }

__wfs_complete() {
    COMPREPLY=()
    # The line is evaluated above.
    if [[ ${COMP_WORDS[*]} == *[\<\>\` + "`" + `]* || ${COMP_WORDS[*]} == *'$('* ]]; then
        return
    fi
    if declare -F _filedir >/dev/null; then
        __start_wfs "$@"
    else
        _filedir() { compopt +o default -o dirnames; }
        __start_wfs "$@"
        unset -f _filedir
    fi
    # A list as uid=5,layout=hf is quoted above as uid=5\,layout=hf, and then not found
    # to begin with what is on the line, of which bash replaces only what follows the last =.
    local cur prev words cword
    __wfs_words
    COMPREPLY=("${COMPREPLY[@]//\\,/,}")
    if [[ $cur == -*=* ]]; then
        cur=${cur#*=}
    fi
    if [[ $cur == *,*=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*=}"}"}")
    fi
}

complete -o default -F __wfs_complete wfs
`
