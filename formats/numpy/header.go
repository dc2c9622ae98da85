package numpy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"unicode/utf8"

	"wfs/formats/segment"
)

const magic = "\x93NUMPY"

const (
	// maxHeader is the longest header that is read; NumPy itself refuses 10 000 bytes unasked.
	maxHeader = 1 << 20
	// maxAxes is how many axes an array of NumPy can have (numpy/ndarraytypes.h, NPY_MAXDIMS).
	maxAxes = 64
)

// header is what a .npy file says of its array.
type header struct {
	element
	shape   []int64
	fortran bool
	data    int64 // where it begins
	size    int64 // its bytes; -1 of objects
}

// readHeader reads the header at the beginning of r, in a file of total bytes.
func readHeader(r io.Reader, total int64) (*header, error) {
	fixed := make([]byte, len(magic)+2+4)
	short := fixed[:len(magic)+2+2]
	if err := fill(r, short); err != nil {
		return nil, err
	}
	if string(fixed[:len(magic)]) != magic {
		return nil, errors.New("it is no array of NumPy")
	}
	h := &header{data: int64(len(short))}
	length := int64(binary.LittleEndian.Uint16(fixed[len(magic)+2:]))
	version := fixed[len(magic)]
	switch {
	case fixed[len(magic)+1] != 0 || version < 1 || version > 3:
		return nil, fmt.Errorf("it is .npy version %d.%d: wfs reads 1.0, 2.0 and 3.0", version, fixed[len(magic)+1])
	case version > 1:
		if err := fill(r, fixed[len(short):]); err != nil {
			return nil, err
		}
		length, h.data = int64(binary.LittleEndian.Uint32(fixed[len(magic)+2:])), int64(len(fixed))
	}
	switch {
	case length > maxHeader:
		return nil, fmt.Errorf("its header claims %d bytes, %d are allowed", length, maxHeader)
	case length > total-h.data:
		return nil, fmt.Errorf("its header claims %d bytes, %d are left", length, total-h.data)
	}
	text := make([]byte, length)
	if err := fill(r, text); err != nil {
		return nil, err
	}
	h.data += length
	return h, h.parse(string(text), version)
}

// fill reads all of b. A source that ends is cut short, and that alone says so.
func fill(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("its header is cut: %w", err)
	}
	return err
}

// parse reads the dict. Its keys are those three, in any order.
func (h *header) parse(text string, version byte) error {
	switch {
	case version < 3:
		text = latin1(text)
	case !utf8.ValidString(text):
		return errors.New("its header is not UTF-8")
	}
	d, err := (&literal{text: text}).dict()
	if err != nil {
		return err
	}
	shape, ok := d["shape"].(tuple)
	fortran, isBool := d["fortran_order"].(bool)
	if _, has := d["descr"]; !has || !ok || !isBool || len(d) != 3 {
		return errors.New("its header does not have descr, fortran_order and shape, and nothing else")
	}
	if h.element, err = elementOf(d["descr"]); err != nil {
		return err
	}
	h.fortran = fortran
	if h.shape, err = integers(shape); err != nil {
		return errors.New("its shape is none")
	}
	count, err := segment.Count(h.shape)
	if err != nil {
		return err
	}
	hi, size := bits.Mul64(uint64(count), uint64(h.width))
	if hi != 0 || size > 1<<62 {
		return fmt.Errorf("shape %v overflows", h.shape)
	}
	if h.size = int64(size); h.objects() {
		h.size = -1
	}
	return nil
}

// latin1 is text of which each byte is a character.
func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}
