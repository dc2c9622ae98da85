package view

import (
	"fmt"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
)

// chooseRoot is the root of the view of one file, and what to tell of the choice. A file
// says which state dicts are in it; where there is one it is taken, and where there are
// several none is.
func chooseRoot(c *checkpoint.Checkpoint, wanted string) (root, note string) {
	switch {
	case wanted == ".":
		return "", ""
	case wanted != "":
		return strings.TrimSuffix(wanted, c.Separator), ""
	}
	switch len(c.Candidates) {
	case 0:
		return "", ""
	case 1:
		one := c.Candidates[0]
		return one.Key, fmt.Sprintf("the view takes the %s at %s (--root . takes everything)", one.What, one.Key)
	}
	var keys []string
	for _, candidate := range c.Candidates {
		keys = append(keys, candidate.Key)
	}
	return "", "the view takes everything: choose one of " + strings.Join(keys, ", ") + " by --root"
}

// tops is the first parts of the keys of a model, as many as a line holds, and the root that
// takes everything.
func tops(m *checkpoint.Model) string {
	const most = 8
	var names []string
	seen := map[string]bool{}
	for of, t := range m.Tensors() {
		if top, _, nested := strings.Cut(t.Key, of.Separator); nested && !seen[top] {
			seen[top] = true
			names = append(names, fmt.Sprintf("%.40q", top))
		}
	}
	slices.Sort(names)
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return strings.Join(append(names, `"."`), ", ")
}
