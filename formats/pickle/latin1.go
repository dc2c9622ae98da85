package pickle

import (
	"fmt"
	"io"
	"sort"
	"unicode/utf8"

	"wfs/formats/segment"
)

// latin1Step is the distance in decoded bytes between two entries of the index.
const latin1Step = 64 << 10

// latin1Data is bytes that a pickle of protocol 2 holds as text: every byte is a
// code point below 256, in UTF-8 (CPython Objects/bytesobject.c, bytes.__reduce_ex__
// through _codecs.encode(text, 'latin1')). It is decoded while it is read; an
// index of one entry for each 64 KiB finds the place.
type latin1Data struct {
	text  segment.Data
	size  int64   // decoded bytes
	index []int64 // text offset of decoded byte i*latin1Step
}

// Latin1 makes text readable as the bytes that its characters stand for. It reads
// all of it once; a character beyond latin-1 is an error.
func Latin1(text segment.Data) (segment.Data, error) {
	d, err := newLatin1(text)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func newLatin1(text segment.Data) (*latin1Data, error) {
	d := &latin1Data{text: text}
	buf := make([]byte, 64<<10)
	for off := int64(0); off < text.Size(); {
		n, err := text.ReadAt(buf, off)
		if n == 0 {
			return nil, err
		}
		for i, b := range buf[:n] {
			if b >= 0x80 && b < 0xc0 { // the second byte of a code point
				continue
			}
			if b > 0xc3 {
				return nil, fmt.Errorf("text at byte %d is not latin-1", off+int64(i))
			}
			if d.size%latin1Step == 0 {
				d.index = append(d.index, off+int64(i))
			}
			d.size++
		}
		off += int64(n)
	}
	return d, nil
}

// Size implements segment.Data.
func (d *latin1Data) Size() int64 { return d.size }

// ReadAt implements segment.Data.
func (d *latin1Data) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= d.size {
		return 0, io.EOF
	}
	var atEnd error
	if int64(len(p)) > d.size-off {
		p, atEnd = p[:d.size-off], io.EOF
	}
	block := off / latin1Step
	skip := off - block*latin1Step
	last := sort.Search(len(d.index), func(i int) bool { return int64(i)*latin1Step >= off+int64(len(p)) })
	end := d.text.Size()
	if last < len(d.index) {
		end = d.index[last]
	}
	src := make([]byte, end-d.index[block])
	if n, err := d.text.ReadAt(src, d.index[block]); n < len(src) {
		return 0, err
	}
	done := 0
	for len(src) > 0 && done < len(p) {
		c, n := utf8.DecodeRune(src)
		src = src[n:]
		if skip > 0 {
			skip--
			continue
		}
		p[done] = byte(c)
		done++
	}
	if done < len(p) {
		return done, io.ErrUnexpectedEOF
	}
	return done, atEnd
}
