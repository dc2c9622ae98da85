package audit

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the blocks of an xz file (tukaani.org/xz/xz-file-format.txt), those of
// LZMA2 alone. The library's own reader allocates whatever window a block claims.
type xzReader struct {
	in    *bufio.Reader
	count *counter
	block io.Reader
	start int64 // where the block's data begins
	check int64 // bytes of the check after each block
	err   error
}

// counter knows how much was read of it.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

const xzHeaderLen = 12

func newXZ(r io.Reader) (io.Reader, error) {
	c := &counter{r: r}
	x := &xzReader{in: bufio.NewReader(c), count: c}
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
	return x, x.next()
}

// offset is how many bytes of the file were used.
func (x *xzReader) offset() int64 { return x.count.n - int64(x.in.Buffered()) }

var errXZ = errors.New("its block is not of LZMA2 alone")

// next reads the header of a block (3.1), whose filter must be LZMA2 (5.3.1). io.EOF is
// the index, after the last.
func (x *xzReader) next() error {
	size, err := x.in.ReadByte()
	if err != nil {
		return err
	}
	if size == 0 {
		return io.EOF
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
	x.start = x.offset()
	x.block, err = lzma.Reader2Config{DictCap: int(max(window, lzma.MinDictCap))}.NewReader2(x.in)
	return err
}

// Read implements io.Reader.
func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil {
		n, err := x.block.Read(p)
		if n > 0 || err != io.EOF {
			return n, err
		}
		padding := (4 - (x.offset()-x.start)%4) % 4
		if _, err := x.in.Discard(int(padding + x.check)); err != nil {
			return 0, err
		}
		x.err = x.next()
	}
	return 0, x.err
}
