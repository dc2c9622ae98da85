package hdf5

import (
	"encoding/binary"
	"io"
)

// Integers may have fewer significant bits than their bytes hold (IV.A.2.d, bit offset
// and precision). Programs get them as whole integers of the same size, as the library
// converts them: shifted down, and the sign extended.

// narrow reports whether only some bits of an element count.
func (t *Datatype) narrow() bool { return t.precision != 0 }

// widen makes whole integers of the elements in b, in their own byte order.
func (t *Datatype) widen(b []byte) {
	var order binary.ByteOrder = binary.LittleEndian
	if t.Order == BigEndian {
		order = binary.BigEndian
	}
	unused := 64 - t.precision
	size := int(t.Size)
	for ; len(b) >= size; b = b[size:] {
		var v uint64
		switch size {
		case 1:
			v = uint64(b[0])
		case 2:
			v = uint64(order.Uint16(b))
		case 4:
			v = uint64(order.Uint32(b))
		case 8:
			v = order.Uint64(b)
		}
		v = v >> t.offset << unused
		if t.Kind == KindInt {
			v = uint64(int64(v) >> unused)
		} else {
			v >>= unused
		}
		switch size {
		case 1:
			b[0] = byte(v)
		case 2:
			order.PutUint16(b, uint16(v))
		case 4:
			order.PutUint32(b, uint32(v))
		case 8:
			order.PutUint64(b, v)
		}
	}
}

// readNarrow reads bytes of whole integers where the file has narrow ones: elements that
// the range only touches are read by themselves.
func (d *Dataset) readNarrow(p []byte, off int64) (int, error) {
	size := int64(d.Dtype.Size)
	if off < 0 || off >= d.size || len(p) == 0 {
		return d.readRaw(p, off)
	}
	var end error
	if int64(len(p)) > d.size-off {
		p, end = p[:d.size-off], io.EOF
	}
	done := 0
	for done < len(p) {
		at := off + int64(done)
		if whole := int64(len(p)-done) / size * size; at%size == 0 && whole > 0 {
			b := p[done : done+int(whole)]
			if n, err := d.readRaw(b, at); n < len(b) {
				return done, err
			}
			d.Dtype.widen(b)
			done += len(b)
			continue
		}
		var one [8]byte
		if n, err := d.readRaw(one[:size], at/size*size); n < int(size) {
			return done, err
		}
		d.Dtype.widen(one[:size])
		done += copy(p[done:], one[at%size:size])
	}
	return done, end
}
