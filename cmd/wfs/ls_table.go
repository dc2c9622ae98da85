package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/quantity"
)

// columns of the table: the first is cut where a terminal is too narrow, sizes are set to
// the right, and the last is ragged.
type columns struct {
	header []string
	right  []bool
	row    func(t listed) []string
}

func (l *listing) columns() columns {
	tied := func(t listed) string {
		if t.Tied == nil {
			return ""
		}
		return visible(t.Tied.Key)
	}
	if !l.opt.Long {
		return columns{
			[]string{"KEY", "DTYPE", "SHAPE", "SIZE", "TIED"}, []bool{false, false, false, true, false},
			func(t listed) []string {
				return []string{visible(t.key), t.DType.String(), checkpoint.ShapeText(t.Shape), quantity.Bytes(t.Data.Size()), tied(t)}
			},
		}
	}
	return columns{
		[]string{"KEY", "DTYPE", "SHAPE", "ELEMENTS", "BYTES", "FILE", "TIED, OR WHY IT IS NOT IN THE VIEW"},
		[]bool{false, false, false, true, true, false, false},
		func(t listed) []string {
			last := tied(t)
			if t.Hidden != "" {
				last = strings.TrimPrefix(last+", ", ", ") + visible(t.Hidden)
			}
			return []string{visible(t.key), t.DType.String(), checkpoint.ShapeText(t.Shape), strconv.FormatInt(t.elements(), 10),
				strconv.FormatInt(t.Data.Size(), 10), visible(t.file), last}
		},
	}
}

// narrow is how many characters of a key are left on a narrow terminal.
const narrow = 16

// table prints aligned columns: two passes, because 100 000 rows are not worth keeping.
func (l *listing) table() {
	c := l.columns()
	last := len(c.header) - 1
	width := make([]int, last)
	for i := range width {
		width[i] = len(c.header[i])
	}
	ragged := len(c.header[last])
	for _, t := range l.tensors {
		cells := c.row(t)
		for i, cell := range cells[:last] {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
		ragged = max(ragged, utf8.RuneCountInString(cells[last]))
	}
	if l.style.width > 0 { // the first column gives way, then the last
		others := 0
		for _, w := range width[1:] {
			others += w + 2
		}
		width[0] = min(width[0], max(l.style.width-others-min(ragged, narrow)-2, narrow))
		ragged = max(l.style.width-others-width[0]-2, narrow)
	}
	print := func(cells []string, paint func(column int, text string) string) {
		for i, cell := range cells[:last] {
			cell = middle(cell, width[i])
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case c.right[i]:
				l.stdout.WriteString(pad + paint(i, cell))
			case i+1 < last || cells[last] != "":
				l.stdout.WriteString(paint(i, cell) + pad)
			default:
				l.stdout.WriteString(paint(i, cell))
			}
			if i+1 < last || cells[last] != "" {
				l.stdout.WriteString("  ")
			}
		}
		l.stdout.WriteString(middle(cells[last], ragged) + "\n")
	}
	print(c.header, func(_ int, text string) string { return l.style.bold(text) })
	for _, t := range l.tensors {
		print(c.row(t), func(column int, text string) string {
			if column == 1 {
				return l.style.dtype(text)
			}
			return text
		})
	}
	for _, o := range l.omitted {
		fmt.Fprintf(l.stdout, "left out: %s: %s\n", visible(o.Key), visible(o.Reason))
	}
	if l.style.terminal {
		fmt.Fprintln(l.stdout, l.style.bold(totalOf(slices.Values(l.tensors)).String()))
	}
}

// tsv prints what the JSON has of tensors, a line each. A key that has a tab or a line feed is
// quoted, as on a terminal.
func (l *listing) tsv() {
	fmt.Fprintln(l.stdout, "key\tdtype\tshape\tbytes\telements\tfile\ttied_to\tnot_in_view")
	for _, t := range l.tensors {
		tied, hidden := "", ""
		if t.Tied != nil {
			tied = visible(t.Tied.Key)
		}
		if t.Hidden != "" {
			hidden = visible(t.Hidden)
		}
		fmt.Fprintf(l.stdout, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n",
			visible(t.key), t.DType, strings.ReplaceAll(strings.Trim(checkpoint.ShapeText(t.Shape), "[]"), " ", ""), t.Data.Size(), t.elements(), visible(t.file), tied, hidden)
	}
}

// tensorEntry is a tensor in the JSON of ls.
type tensorEntry struct {
	Key    string  `json:"key"`
	Hex    string  `json:"key_hex,omitempty"` // where the key is not UTF-8
	DType  string  `json:"dtype"`
	Shape  []int64 `json:"shape"`
	Bytes  int64   `json:"bytes"`
	File   string  `json:"file"`
	Tied   string  `json:"tied_to,omitempty"`
	Hidden string  `json:"not_in_view,omitempty"`
}

func (l *listing) json() error {
	out := struct {
		Source  string               `json:"source"`
		Notes   []string             `json:"notes"`
		Omitted []checkpoint.Omitted `json:"omitted"`
		Tensors []tensorEntry        `json:"tensors"`
		Totals  *totals              `json:"totals"`
	}{l.plan.Model.Path, append([]string{}, l.plan.Notes()...), append([]checkpoint.Omitted{}, l.omitted...), []tensorEntry{}, totalOf(slices.Values(l.tensors))}
	for _, t := range l.tensors {
		e := tensorEntry{
			Key: t.key, DType: t.DType.String(), Shape: append([]int64{}, t.Shape...), Bytes: t.Data.Size(), File: t.file, Hidden: t.Hidden,
		}
		if !utf8.ValidString(t.key) {
			e.Hex = fmt.Sprintf("%x", t.key)
		}
		if t.Tied != nil {
			e.Tied = t.Tied.Key
		}
		out.Tensors = append(out.Tensors, e)
	}
	return json.NewEncoder(l.stdout).Encode(out)
}

// visible escapes what a terminal would obey.
func visible(s string) string { return keys.Visible(s) }
