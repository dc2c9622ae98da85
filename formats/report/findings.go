package report

import (
	"fmt"
	"strings"
)

// finding is something about the values of a tensor that a person may want to look at.
type finding struct{ Key, Text string }

// statRow is a Stat as the table shows it.
type statRow struct {
	*Stat
	// Path is the histogram as the outline of its bars, in a box of 80 by 20.
	Path     string
	Sparsity string // the share of zeros, "" for none
}

const (
	barWidth  = 2
	barHeight = 20
)

func (s *Stat) row() *statRow {
	r := &statRow{Stat: s}
	most := int64(0)
	for _, n := range s.Histogram {
		most = max(most, n)
	}
	if most > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "M0 %d", barHeight)
		for _, n := range s.Histogram {
			h := float64(n) / float64(most) * barHeight
			if n > 0 {
				h = max(h, 0.7) // seen, however few they are
			}
			fmt.Fprintf(&b, "V%.3gh%d", barHeight-h, barWidth)
		}
		fmt.Fprintf(&b, "V%dZ", barHeight)
		r.Path = b.String()
	}
	if s.Zeros > 0 && s.Count > 0 {
		r.Sparsity = fmt.Sprintf("%.3g %%", 100*float64(s.Zeros)/float64(s.Count))
	}
	return r
}

// find notes what is unusual.
func (p *page) find(key string, s *Stat) {
	var said []string
	say := func(n int64, what string) {
		if n > 0 {
			said = append(said, fmt.Sprintf("%s %s", count(n), what))
		}
	}
	say(s.NaN, "NaN")
	say(s.Inf, "infinite")
	switch {
	case s.Count > 1 && s.Zeros == s.Count:
		said = append(said, "all zeros")
	case s.Count > 1 && s.Min == s.Max:
		said = append(said, "one value: "+number(s.Min))
	default:
		say(s.DeadRows, fmt.Sprintf("of %s rows all zeros", count(s.Rows)))
		say(s.Outliers, fmt.Sprintf("beyond %d standard deviations", farOut))
	}
	if len(said) > 0 && len(p.Findings) < maxItems {
		p.Findings = append(p.Findings, finding{key, strings.Join(said, "; ")})
	}
}
