package audit

import (
	"fmt"
	"io"
	"strings"
)

// GlobalUse is a global in a report.
type GlobalUse struct {
	Module  string  `json:"module"`
	Name    string  `json:"name"`
	Offset  int64   `json:"offset"` // of the first opcode that names it
	Opcode  string  `json:"opcode"`
	Count   int     `json:"count"`
	Called  bool    `json:"called"` // unpickling would call it
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
}

// Stream is the report on one pickle.
type Stream struct {
	// Name tells where it lies: a record, "pickle 4", or what it is nested in.
	Name      string      `json:"name"`
	Offset    int64       `json:"offset"`
	Protocol  int         `json:"protocol"`
	Globals   []GlobalUse `json:"globals"`
	Anomalies []string    `json:"anomalies,omitempty"`
	Verdict   Verdict     `json:"verdict"`

	limit   bool // a bound of wfs ended it, where Python may go on
	strange bool // it holds what has no name in it
	named   bool // it names what could be the name of something
	called  bool // and would call it
	// dangerous reports whether it names something dangerous by a name without spaces.
	dangerous bool
}

// writeText renders streams line by line, safe for a terminal.
func writeText(w io.Writer, streams []Stream) {
	for _, s := range streams {
		fmt.Fprintf(w, "  %s: protocol %d, %s\n", quote(s.Name), s.Protocol, s.Verdict)
		for _, g := range s.Globals {
			called := "named"
			if g.Called {
				called = "called"
			}
			fmt.Fprintf(w, "    %-9s %s  %s, %s at byte %d", g.Verdict, quote(g.Module+"."+g.Name), called, g.Opcode, g.Offset)
			if g.Count > 1 {
				fmt.Fprintf(w, ", %d times", g.Count)
			}
			if g.Reason != "" && g.Verdict == Dangerous {
				fmt.Fprintf(w, ": it %s", g.Reason)
			}
			fmt.Fprintln(w)
		}
		for _, a := range s.Anomalies {
			fmt.Fprintf(w, "    note      %s\n", escape(a, 2*maxNote))
		}
	}
}

// quote puts a name that was escaped between quotes.
func quote(s string) string {
	s = escape(s, 2*maxNote)
	if strings.Contains(s, `\`) {
		return `"` + s + `"`
	}
	return s
}
