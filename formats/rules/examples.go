package rules

import (
	"embed"
	"path"
	"strings"
)

//go:embed examples/*.toml
var examples embed.FS

// Example is a file of rules from the manual.
type Example struct {
	// Name is "experts", Text the file, which begins with a comment that says what it is for.
	Name, Text string
}

// Examples are the files of the manual, from the simplest on. Each is tested against the
// tool that does the same (integration/views).
func Examples() []Example {
	var all []Example
	for _, name := range []string{"prefixes", "experts", "llama", "neox", "rank", "sum", "difference", "adapters"} {
		text, err := examples.ReadFile(path.Join("examples", name+".toml"))
		if err != nil {
			panic(err) // it is part of the program
		}
		all = append(all, Example{name, strings.TrimSpace(string(text)) + "\n"})
	}
	return all
}
