package gguf

import (
	"encoding/binary"
	"fmt"

	"wfs/formats/segment"
)

// window is how much of a header is read at once.
const window = 256 << 10

// maxHeader is the longest header: those of the largest vocabularies have 15 MB.
const maxHeader = 256 << 20

// cursor reads a header from its beginning to its end.
type cursor struct {
	src   segment.Data
	order binary.ByteOrder
	pos   int64
	buf   []byte // of src, from begin on
	begin int64
}

// left is how many bytes follow.
func (c *cursor) left() int64 { return c.src.Size() - c.pos }

// need is an error where fewer than n bytes follow, or the header is too long with them.
func (c *cursor) need(n uint64, what string) error {
	switch left := uint64(c.left()); {
	case n > left:
		return fmt.Errorf("%s at byte %d takes %d bytes, %d are left", what, c.pos, n, left)
	case uint64(c.pos)+n > maxHeader:
		return fmt.Errorf("its header has more than %d bytes", maxHeader)
	}
	return nil
}

// take is the next n bytes, until the cursor is used again.
func (c *cursor) take(n uint64, what string) ([]byte, error) {
	if err := c.need(n, what); err != nil {
		return nil, err
	}
	at := c.pos - c.begin
	if at < 0 || at+int64(n) > int64(len(c.buf)) {
		size := min(c.left(), max(window, int64(n)))
		if int64(cap(c.buf)) < size {
			c.buf = make([]byte, size)
		}
		c.buf, c.begin, at = c.buf[:size], c.pos, 0
		if err := segment.ReadFull(c.src, c.buf, c.pos); err != nil {
			c.buf = c.buf[:0]
			return nil, err
		}
	}
	c.pos += int64(n)
	return c.buf[at : at+int64(n)], nil
}

// skip passes over n bytes.
func (c *cursor) skip(n uint64, what string) error {
	if err := c.need(n, what); err != nil {
		return err
	}
	c.pos += int64(n)
	return nil
}

func (c *cursor) u32(what string) (uint32, error) {
	b, err := c.take(4, what)
	if err != nil {
		return 0, err
	}
	return c.order.Uint32(b), nil
}

func (c *cursor) u64(what string) (uint64, error) {
	b, err := c.take(8, what)
	if err != nil {
		return 0, err
	}
	return c.order.Uint64(b), nil
}

// text is a length and the bytes after it, of which there may be most.
func (c *cursor) text(what string, most uint64) (string, error) {
	n, err := c.u64(what)
	if err != nil {
		return "", err
	}
	if n > most {
		return "", fmt.Errorf("%s at byte %d claims %d bytes, %d are allowed", what, c.pos-8, n, most)
	}
	b, err := c.take(n, what)
	return string(b), err
}
