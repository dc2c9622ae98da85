package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readLine reads up to the next line feed, which it drops.
func (s *Scanner) readLine() (string, error) {
	at := s.Offset()
	line, err := s.wholeLine()
	if err != nil || s.frame <= at || s.frame > at+int64(len(line)) || s.frames == FramesIgnored {
		return line, err
	}
	if s.frames == FramesRefused {
		return line, ErrCut
	}
	return line[s.frame-at:], nil
}

func (s *Scanner) wholeLine() (string, error) {
	var line []byte
	for {
		b, err := s.need(1)
		if err != nil {
			return "", io.ErrUnexpectedEOF
		}
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line = append(line, b[:i]...)
			s.pos += i + 1
			return string(line), nil
		}
		line = append(line, b...)
		s.pos += len(b)
		if len(line) > maxLine {
			return "", fmt.Errorf("line longer than %d bytes", maxLine)
		}
	}
}

// line reads the argument of a text opcode (protocol 0).
func (s *Scanner) line(op *Op, arg argument) error {
	text, err := s.readLine()
	if err != nil {
		return err
	}
	op.Text, op.Held = text, true
	switch arg {
	case pairOfLines:
		op.Name, err = s.readLine()
		return err
	case idLine:
		return nil
	case floatLine:
		op.Float, err = strconv.ParseFloat(strings.TrimSpace(text), 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil // Python reads 1e999 as inf
		}
		if err != nil {
			return fmt.Errorf("%.40q is no number", text)
		}
		return nil
	case intLine:
		if text == "00" || text == "01" {
			op.Bool, op.Int = true, int64(text[1]-'0')
			return nil
		}
		return op.decimal(text)
	case longLine:
		return op.decimal(strings.TrimSuffix(text, "L"))
	case indexLine:
		if err := op.decimal(text); err != nil {
			return err
		}
		if op.Big != nil || op.Int < 0 {
			return fmt.Errorf("%.40q is no memo index", text)
		}
		return nil
	case quotedLine:
		op.Text, err = unquote(text)
		return err
	case utf8Line:
		op.Text, err = unescapeUnicode(text)
		return err
	}
	return nil
}

func (op *Op) decimal(text string) error {
	text = strings.TrimSpace(text)
	if len(text) > maxDigits {
		return fmt.Errorf("number of %d digits, wfs reads %d", len(text), maxDigits)
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		op.Int = v
		return nil
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return fmt.Errorf("%.40q is no number", text)
	}
	op.Big = n
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
