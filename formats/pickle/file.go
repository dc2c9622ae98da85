package pickle

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Report is what wfs saw in the pickles of one file. It read them as data, and ran nothing.
type Report struct {
	File      string   `json:"file"`
	Pickles   []Stream `json:"pickles"`
	Container []string `json:"container,omitempty"` // oddities of the zip or tar around them
	Verdict   Verdict  `json:"verdict"`
}

// JSON implements checkpoint.Report.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// Text implements checkpoint.Report.
func (r *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", quote(r.File), r.Verdict)
	writeText(&b, r.Pickles)
	for _, c := range r.Container {
		fmt.Fprintf(&b, "  container: %s\n", c)
	}
	return b.String()
}

// Dangerous implements checkpoint.Report.
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
