package audit

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Report is what wfs saw in the pickles of one file. It read them as data, and ran nothing.
type Report struct {
	// Path is the file's, for messages.
	Path      string   `json:"-"`
	File      string   `json:"file"`
	Pickles   []Stream `json:"pickles"`
	Container []string `json:"container,omitempty"` // oddities of the zip or tar around them
	Verdict   Verdict  `json:"verdict"`
	// Nothing reports whether nothing was found that unpickling would go by: that is not
	// the same as pickles of which all names are allowed.
	Nothing bool `json:"nothing_to_unpickle"`
}

// JSON renders it for programs, ending in a newline.
func (r *Report) JSON() ([]byte, error) {
	said := *r
	said.Nothing = r.Empty()
	b, err := json.MarshalIndent(&said, "", "  ")
	return append(b, '\n'), err
}

// Text renders it for people, safe for a terminal.
func (r *Report) Text() string {
	var b strings.Builder
	verdict := r.Verdict.String()
	if r.Empty() {
		verdict = "nothing to unpickle was found"
	}
	fmt.Fprintf(&b, "%s: %s\n", quote(r.File), verdict)
	writeText(&b, r.Pickles)
	for _, c := range r.Container {
		fmt.Fprintf(&b, "  container: %s\n", escape(c, 2*maxNote))
	}
	return b.String()
}

// Empty reports whether nothing was found that unpickling would go by.
func (r *Report) Empty() bool { return len(r.Pickles) == 0 && len(r.Container) == 0 }

// Dangerous is why --refuse-unsafe refuses the file, "" if it does not.
func (r *Report) Dangerous() string {
	for _, s := range r.Pickles {
		for _, g := range s.Globals {
			if g.Verdict == Dangerous {
				return fmt.Sprintf("its pickle %s names %s.%s at byte %d: it %s", s.Name, g.Module, g.Name, g.Offset, g.Reason)
			}
		}
	}
	if r.Verdict == Dangerous && len(r.Container) > 0 {
		return r.Container[0]
	}
	return ""
}
