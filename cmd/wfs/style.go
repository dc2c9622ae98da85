package main

import (
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// style is how the standard output is written to: wide as a terminal is and in colours there,
// plain elsewhere.
type style struct {
	terminal, color bool
	width           int // 0 is any
}

// newStyle is the style of the standard output for a word of --color. NO_COLOR is obeyed
// (no-color.org), and a terminal that knows no colours.
func newStyle(color string) style {
	s := style{terminal: isTerminal(os.Stdout)}
	if s.terminal {
		if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			s.width = width
		}
	}
	s.color = color == "always" || color == "auto" && s.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}

func (s style) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string      { return s.paint("1", text) }
func (s style) dtype(text string) string     { return s.paint("36", text) }
func (s style) directory(text string) string { return s.paint("1;34", text) } // as of ls(1)

// middle cuts a text to a number of characters: its two ends say the most of a key.
func middle(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if n <= width || width < 3 {
		return text
	}
	runes := []rune(text)
	head := (width - 1) / 2
	return string(runes[:head]) + "…" + string(runes[n-(width-1-head):])
}
