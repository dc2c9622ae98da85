package diff

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Summary is a text about a comparison whose length is known before anything is compared:
// each line is padded with blanks to the longest that it can become.
type Summary struct {
	c *Comparison
	// line is an entry in a line, without its end.
	line        func(Entry) string
	first, last string
	// separated lines begin with a comma, but for the first.
	separated bool
}

// TextSummary is Text of all entries.
func (c *Comparison) TextSummary() *Summary {
	return &Summary{c: c, line: func(e Entry) string { return e.Text(0) }}
}

// JSONSummary is an array of all entries, for json.Unmarshal.
func (c *Comparison) JSONSummary() *Summary {
	return &Summary{c: c, first: "[\n", last: "]\n", separated: true, line: func(e Entry) string {
		b, err := json.Marshal(e)
		if err != nil { // of strings and numbers it does not happen
			return "null"
		}
		return string(b)
	}}
}

// Size is the length of the text in bytes.
func (s *Summary) Size() int64 {
	size := int64(len(s.first) + len(s.last))
	if s.separated {
		size += int64(len(s.c.Pairs) + len(s.c.Removed) + len(s.c.Added))
	}
	for _, p := range s.c.Pairs {
		size += int64(len(s.line(s.c.longest(p))) + 1)
	}
	for _, e := range s.c.lone() {
		size += int64(len(s.line(e)) + 1)
	}
	return size
}

// lone are the entries of keys that one side has.
func (c *Comparison) lone() []Entry {
	return (&Comparison{Removed: c.Removed, Added: c.Added}).Entries()
}

// Write compares what was not compared yet, and makes the text.
func (s *Summary) Write(ctx context.Context, verify func() error) ([]byte, error) {
	if err := s.c.Compare(ctx, nil); err != nil {
		return nil, err
	}
	if err := verify(); err != nil {
		return nil, err
	}
	text := []byte(s.first)
	add := func(e Entry, width int) error {
		line := s.line(e)
		if len(line) > width {
			return fmt.Errorf("the line of %.60q has %d bytes of %d", e.Key, len(line), width)
		}
		if s.separated && len(text) == len(s.first) {
			text = append(text, ' ')
		} else if s.separated {
			text = append(text, ',')
		}
		text = append(append(append(text, line...), strings.Repeat(" ", width-len(line))...), '\n')
		return nil
	}
	for _, p := range s.c.Pairs {
		unknown := *p
		unknown.Values = nil
		if p.Verdict != Identical { // which it was from the beginning
			unknown.Verdict = Unknown
		}
		if err := add(s.c.entry(p), len(s.line(s.c.longest(&unknown)))); err != nil {
			return nil, err
		}
	}
	for _, e := range s.c.lone() {
		if err := add(e, len(s.line(e))); err != nil {
			return nil, err
		}
	}
	return append(text, s.last...), nil
}
