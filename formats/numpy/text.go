package numpy

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"wfs/formats/segment"
)

// Bounds of the texts that are read for meta/objects.json, in bytes of the arrays that hold
// them.
const (
	maxText  = 64 << 10 // of an array
	maxTexts = 1 << 20  // of all
)

// array is what meta/objects.json has of an array that is no plain tensor: texts with their
// values in C order, times with their unit.
type array struct {
	DType  string   `json:"dtype"`
	Shape  []int64  `json:"shape"`
	Values []string `json:"values,omitempty"`
}

// keep adds an array to the objects.
func (c *collector) keep(key string, a array) {
	if a.Shape == nil {
		a.Shape = []int64{}
	}
	const most = 10_000
	if len(c.objects) < most {
		c.objects[key] = a
	}
}

// text keeps an array of texts, if it is one, and its values, if they are few.
func (c *collector) text(key string, e *element, l layout) error {
	if e.fields != nil || e.kind != 'S' && e.kind != 'U' {
		return nil
	}
	l, width := l.inner(e)
	a := array{DType: e.descr, Shape: l.shape}
	count, err := segment.Count(l.shape)
	if err != nil {
		return err
	}
	if n := count * width; width > 0 && count <= maxText && n <= min(maxText, c.room) {
		c.room -= n
		data, err := l.data(width, c.bands)
		if err != nil {
			return fmt.Errorf("%.200q: %w", key, err)
		}
		b := make([]byte, n)
		if n > 0 {
			if err := segment.ReadFull(data, b, 0); err != nil {
				return fmt.Errorf("%.200q: %w", key, err)
			}
		}
		for ; len(b) > 0; b = b[width:] {
			a.Values = append(a.Values, e.decode(b[:width]))
		}
	}
	c.keep(orTensor(key), a)
	return nil
}

// decode is a text, which is padded with NULs: bytes of S, or characters of four bytes of U.
func (e *element) decode(b []byte) string {
	if e.kind == 'S' {
		return strings.TrimRight(latin1(string(b)), "\x00")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if e.swap > 0 {
		order = binary.BigEndian
	}
	var text strings.Builder
	for ; len(b) >= 4; b = b[4:] {
		r := rune(utf8.RuneError)
		if n := order.Uint32(b); n <= utf8.MaxRune {
			r = rune(n)
		}
		text.WriteRune(r)
	}
	return strings.TrimRight(text.String(), "\x00")
}
