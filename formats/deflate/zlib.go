package deflate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/adler32"
)

// errSize says that a stream inflates to more or less than it should.
var errSize = errors.New("the deflate stream inflates to another size")

// Zlib fills dst with the data of the zlib stream (RFC 1950) in src, and verifies their
// checksum. More data, less or broken ones are an error.
func Zlib(dst, src []byte) error {
	const header, trailer = 2, 4
	if len(src) < header+trailer || src[0]&15 != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 ||
		binary.BigEndian.Uint16(src)%31 != 0 {
		return errCorrupt
	}
	body := src[header:]
	d := newDecoder(bytes.NewReader(body), int64(len(body)))
	defer d.free()
	if err := d.resume(state{}, nil); err != nil {
		return err
	}
	done := 0
	for {
		block, err := d.next()
		switch {
		case err != nil:
			return err
		case len(block) > len(dst)-done:
			return errSize
		}
		done += copy(dst[done:], block)
		if d.phase == atEnd {
			break
		}
	}
	if done < len(dst) {
		return errSize
	}
	end := (d.in.position() + 7) / 8
	if int64(len(body))-end < trailer || adler32.Checksum(dst) != binary.BigEndian.Uint32(body[end:]) {
		return errCorrupt
	}
	return nil
}
