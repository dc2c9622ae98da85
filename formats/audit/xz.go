package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the blocks of an xz file (tukaani.org/xz/xz-file-format.txt), those of
// LZMA2 alone. The library's own reader allocates whatever window a block claims.
type xzReader struct {
	in    *input
	block io.Reader
	start int64 // where the block's data begins
	check int64 // bytes of the check after each block
	err   error
}

const xzHeaderLen = 12

func newXZ(in *input) (io.Reader, error) {
	x := &xzReader{in: in}
	var header [xzHeaderLen]byte
	if _, err := io.ReadFull(x.in, header[:]); err != nil {
		return nil, err
	}
	switch header[7] & 0xf { // none, CRC32, CRC64, SHA-256
	case 0:
	case 1:
		x.check = 4
	case 4:
		x.check = 8
	case 10:
		x.check = 32
	default:
		return nil, fmt.Errorf("its check of type %d is not known", header[7])
	}
	if x.err = x.next(); x.err != io.EOF { // a stream can have no block
		return x, x.err
	}
	return x, nil
}

var errXZ = errors.New("its block is not of LZMA2 alone")

// next reads the header of a block (3.1), whose filter must be LZMA2 (5.3.1). io.EOF is
// the index, after the last.
func (x *xzReader) next() error {
	size, err := x.in.ReadByte()
	if err != nil {
		return err
	}
	if size == 0 {
		return x.index()
	}
	header := make([]byte, int(size)*4+3)
	if _, err := io.ReadFull(x.in, header); err != nil {
		return err
	}
	rest := header[1:]
	skip := func() bool {
		_, n := binary.Uvarint(rest)
		rest = rest[max(0, n):]
		return n > 0
	}
	if header[0]&0x03 != 0 || header[0]&0x40 != 0 && !skip() || header[0]&0x80 != 0 && !skip() {
		return errXZ
	}
	const lzma2 = 0x21
	if len(rest) < 3 || rest[0] != lzma2 || rest[1] != 1 {
		return errXZ
	}
	window := int64(1<<32 - 1)
	if code := rest[2] & 0x3f; code < 40 {
		window = int64(2|code&1) << (code/2 + 11)
	}
	if window > maxWindow {
		return fmt.Errorf("its window has %d bytes, wfs holds %d", window, maxWindow)
	}
	x.start = x.in.offset()
	x.block, err = lzma.Reader2Config{DictCap: int(max(window, lzma.MinDictCap))}.NewReader2(x.in)
	return err
}

// index passes over the index (4) and the footer (2.1.2). It returns io.EOF.
func (x *xzReader) index() error {
	const indicator, crc, footer = 1, 4, 12
	start := x.in.offset() - indicator
	records, err := binary.ReadUvarint(x.in)
	for ; err == nil && records > 0; records-- {
		if _, err = binary.ReadUvarint(x.in); err == nil {
			_, err = binary.ReadUvarint(x.in)
		}
	}
	if err == nil {
		_, err = x.in.Discard(int((4-(x.in.offset()-start)%4)%4 + crc + footer))
	}
	if err != nil {
		return fmt.Errorf("its index: %w", noEOF(err))
	}
	return io.EOF
}

// noEOF is err where the end of the input is a fault.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read implements io.Reader.
func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil {
		n, err := x.block.Read(p)
		if n > 0 && err == io.EOF { // of the block
			return n, nil
		}
		if n > 0 || err != io.EOF {
			return n, err
		}
		padding := (4 - (x.in.offset()-x.start)%4) % 4
		if _, err := x.in.Discard(int(padding + x.check)); err != nil {
			return 0, err
		}
		x.err = x.next()
	}
	return 0, x.err
}
