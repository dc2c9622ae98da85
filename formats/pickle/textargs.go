package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readLine reads up to the next line feed, which it drops, into op: the line where it is
// short, else where it lies and what it begins with.
func (s *Scanner) readLine(op *Op) error {
	op.At, op.Text, op.Held = s.Offset(), "", true
	if err := s.wholeLine(op); err != nil || s.frame <= op.At || s.frame > op.At+op.Len || s.frames == FramesIgnored {
		return err
	}
	if s.frames == FramesRefused {
		return ErrCut
	}
	if !op.Held {
		return Limitf("a line of %d bytes crosses the end of a FRAME", op.Len)
	}
	op.Text = op.Text[s.frame-op.At:]
	op.At, op.Len = s.frame, int64(len(op.Text))
	return nil
}

func (s *Scanner) wholeLine(op *Op) error {
	var line []byte
	for {
		b, err := s.need(1)
		if err != nil && s.left() == 0 && s.Offset() > op.At {
			// Python takes the last byte of the file for the line feed, whatever it is.
			op.Text, op.Len = string(line[:max(0, len(line)-1)]), s.Offset()-op.At-1
			return nil
		}
		if err != nil { // of the source, or the end of the file
			return err
		}
		i := bytes.IndexByte(b, '\n')
		n := i
		if i < 0 {
			n = len(b)
		}
		if op.Held {
			line = append(line, b[:n]...)
		}
		if op.Held && len(line) > maxLine {
			op.Held = false
			line = line[:lineHead:lineHead]
		}
		s.pos += n
		if i >= 0 {
			op.Text, op.Len = string(line), s.Offset()-op.At
			s.pos++
			return nil
		}
	}
}

// line reads the argument of a text opcode (protocol 0).
func (s *Scanner) line(op *Op, arg argument) error {
	if err := s.readLine(op); err != nil {
		return err
	}
	var err error
	switch arg {
	case pairOfLines:
		return s.names(op)
	case floatLine:
		return op.decimal(op.Text)
	case intLine:
		if op.Text == "00" || op.Text == "01" {
			op.Bool, op.Int = true, int64(op.Text[1]-'0')
			return nil
		}
		return op.integer(op.Text, 0)
	case longLine:
		return op.integer(strings.TrimSuffix(op.Text, "L"), 0)
	case indexLine:
		if err := op.integer(op.Text, 10); err != nil {
			return err
		}
		if op.Opaque || op.Big != nil || op.Int < 0 {
			return fmt.Errorf("%.40q is not a memo index", op.Text)
		}
		return nil
	case quotedLine:
		if op.Held {
			op.Text, err = unquote(op.Text)
		}
		return err
	case utf8Line:
		if op.Held {
			op.Text, err = unescapeUnicode(op.Text)
		}
		return err
	}
	return nil // a persistent id
}

// names reads the second line of GLOBAL and INST, and puts both where they belong.
func (s *Scanner) names(op *Op) error {
	if !op.Held { // longer than any path
		return fmt.Errorf("no module has a name of %d bytes", op.Len)
	}
	module := op.Text
	if s.left() == 0 && module != "" { // pickle.py imports the module nevertheless
		op.Text, op.Name = module, ""
		return nil
	}
	if err := s.readLine(op); err != nil {
		return err
	}
	if !op.Held {
		return Limitf("a name of %d bytes, wfs reads %d", op.Len, maxLine)
	}
	op.Text, op.Name = module, op.Text
	return nil
}

// unquote decodes a Python 2 string literal (CPython's codecs.escape_decode).
func unquote(text string) (string, error) {
	text = strings.TrimRight(text, " \t\r")
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '\'' && text[0] != '"' {
		return "", errors.New("the string has no quotes around it")
	}
	text = text[1 : len(text)-1]
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		if i++; i == len(text) {
			return "", errors.New("the string ends in a backslash")
		}
		c := text[i]
		switch {
		case strings.IndexByte(`\'"`, c) >= 0:
			out = append(out, c)
		case strings.IndexByte("abfnrtv", c) >= 0:
			out = append(out, "\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)])
		case c == 'x':
			if i+2 >= len(text) {
				return "", errors.New("the string has an unfinished \\x")
			}
			v, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return "", errors.New("the string has a wrong \\x")
			}
			out = append(out, byte(v))
			i += 2
		case c >= '0' && c <= '7':
			n, v := 0, 0
			for ; n < 3 && i+n < len(text) && text[i+n] >= '0' && text[i+n] <= '7'; n++ {
				v = v<<3 | int(text[i+n]-'0')
			}
			out = append(out, byte(v))
			i += n - 1
		default:
			out = append(out, '\\', c)
		}
	}
	return string(out), nil
}

// unescapeUnicode decodes raw-unicode-escape: latin-1, with \uXXXX and \UXXXXXXXX.
func unescapeUnicode(text string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		digits := 0
		if text[i] == '\\' && i+1 < len(text) {
			switch text[i+1] {
			case 'u':
				digits = 4
			case 'U':
				digits = 8
			}
		}
		if digits == 0 {
			if text[i] == '\\' && i+1 < len(text) && text[i+1] == '\\' {
				// a doubled backslash stays two, and hides no escape
				out.WriteString(`\\`)
				i++
				continue
			}
			out.WriteRune(rune(text[i]))
			continue
		}
		if i+2+digits > len(text) {
			return "", errors.New("the text has an unfinished escape")
		}
		v, err := strconv.ParseUint(text[i+2:i+2+digits], 16, 32)
		if err != nil || v > utf8.MaxRune {
			return "", errors.New("the text has a wrong escape")
		}
		out.WriteRune(rune(v))
		i += 1 + digits
	}
	return out.String(), nil
}
