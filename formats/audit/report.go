package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"wfs/formats/keras"
)

// Report is what wfs saw in the pickles of one file. It read them as data, and ran nothing.
type Report struct {
	// Path is the file's, for messages.
	Path      string   `json:"-"`
	File      string   `json:"file"`
	Pickles   []Stream `json:"pickles"`
	Container []string `json:"container,omitempty"` // oddities of the zip or tar around them
	Verdict   Verdict  `json:"verdict"`
}

// add takes in what the configurations of a Keras file would do.
func (r *Report) add(found []keras.Finding) {
	for _, f := range found {
		verdict := Unknown
		if f.RunsCode {
			verdict = Dangerous
		}
		r.Container = append(r.Container, f.Text)
		r.Verdict = max(r.Verdict, verdict)
	}
}

// JSON renders it for programs, ending in a newline.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// Text renders it for people, safe for a terminal.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", quote(r.File), r.Verdict)
	writeText(&b, r.Pickles)
	for _, c := range r.Container {
		fmt.Fprintf(&b, "  container: %s\n", c)
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
