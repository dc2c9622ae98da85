package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completeMountpoint offers the mounts of wfs that are not on the command line yet. It
// looks at none of them: a mount that hangs would hang the shell.
func completeMountpoint(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var paths []cobra.Completion
	here, _ := os.Getwd()
	for _, m := range mounts() {
		if m.fsType != fsType || !shellSafe(m.path) {
			continue
		}
		path := m.path
		if typed != "" && !strings.HasPrefix(typed, "/") {
			if path = strings.TrimPrefix(path, strings.TrimSuffix(here, "/")+"/"); path == m.path {
				continue // it does not lie below
			}
			if strings.HasPrefix(typed, "./") {
				path = "./" + path
			}
		}
		if strings.HasPrefix(path, typed) && !slices.Contains(args, path) && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if typed == "" {
		return paths, cobra.ShellCompDirectiveNoFileComp
	}
	// What is typed otherwise, as with ~, is left to the shell.
	return paths, cobra.ShellCompDirectiveDefault
}

// completeOption offers what can follow the last comma of a list of mount options.
func completeOption(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	done, last := "", typed
	if i := strings.LastIndexByte(typed, ','); i >= 0 {
		done, last = typed[:i+1], typed[i+1:]
	}
	words, way := optionWords(cmd, args, strings.Split(done, ","), last)
	var found []cobra.Completion
	for _, word := range words {
		if strings.HasPrefix(word, last) {
			found = append(found, done+word)
		}
	}
	if len(found) == 1 && strings.HasSuffix(found[0], "=") {
		way |= cobra.ShellCompDirectiveNoSpace // its value comes next
	}
	return found, way
}

// optionWords is the mount options that are not among done, or the values of the one that
// last names.
func optionWords(cmd *cobra.Command, args, done []string, last string) ([]string, cobra.ShellCompDirective) {
	if name, value, ok := strings.Cut(last, "="); ok {
		var words []string
		switch name {
		case "layout":
			words = layouts
		case "log_level":
			words = logLevels
		case "root":
			keys, _ := completeRoot(cmd, args, value)
			for _, key := range keys {
				key, _, _ := strings.Cut(key, "\t") // its description finds no place in a list
				words = append(words, key)
			}
		case "log_file", "cache_dir", "view", "lora":
			return nil, cobra.ShellCompDirectiveDefault
		}
		return prefixed(name+"=", words), cobra.ShellCompDirectiveNoFileComp
	}
	words := []string{"ro"}
	for _, name := range optionFlags {
		word := strings.ReplaceAll(name, "-", "_")
		if takesValue(cmd.Flags().Lookup(name)) {
			word += "="
		}
		words = append(words, word)
	}
	words = slices.DeleteFunc(words, func(word string) bool {
		return slices.ContainsFunc(done, func(d string) bool { return d == word || strings.HasSuffix(word, "=") && strings.HasPrefix(d, word) })
	})
	return words, cobra.ShellCompDirectiveNoFileComp
}

// takesValue reports whether a flag is not a switch.
func takesValue(f *pflag.Flag) bool { return f.NoOptDefVal == "" }

func prefixed(prefix string, words []string) []string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = prefix + word
	}
	return all
}
