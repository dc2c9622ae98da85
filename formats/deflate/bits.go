package deflate

import (
	"encoding/binary"
	"io"
)

// inputSize is how many compressed bytes are read at once.
const inputSize = 64 << 10

// bitReader holds the bits of the stream that come next, the first in the lowest
// place. Past the end of the input it delivers zeros and counts them.
type bitReader struct {
	src      io.ReaderAt
	off, end int64 // of the compressed bytes that were not read yet

	buf   []byte // that were read
	at    int    // in buf
	hold  uint64
	count uint // bits in hold
	past  uint // bits delivered past the end
	err   error
}

// seek goes to a bit of the stream.
func (r *bitReader) seek(bit int64) {
	*r = bitReader{src: r.src, off: bit >> 3, end: r.end, buf: r.buf[:0]}
	r.more()
	r.refill()
	r.drop(uint(bit & 7))
}

// position is the bit that comes next.
func (r *bitReader) position() int64 {
	return (r.off-int64(len(r.buf)-r.at))*8 - int64(r.count) + int64(r.past)
}

// more keeps at least 16 bytes of input at hand while the stream has them.
func (r *bitReader) more() {
	if len(r.buf)-r.at >= 16 || r.off == r.end || r.err != nil {
		return
	}
	kept := copy(r.buf[:cap(r.buf)], r.buf[r.at:])
	n := min(r.end-r.off, int64(cap(r.buf)-kept))
	r.buf, r.at = r.buf[:kept+int(n)], 0
	k, err := r.src.ReadAt(r.buf[kept:], r.off)
	if int64(k) < n {
		r.buf = r.buf[:kept]
		if r.err = err; err == nil || err == io.EOF {
			r.err = io.ErrUnexpectedEOF
		}
		return
	}
	r.off += n
}

// refill makes at least 56 bits available of the input at hand.
func (r *bitReader) refill() {
	if len(r.buf)-r.at >= 8 {
		r.hold |= binary.LittleEndian.Uint64(r.buf[r.at:]) << (r.count & 63)
		r.at += int(63-r.count) >> 3
		r.count |= 56
		return
	}
	r.hold &= 1<<r.count - 1 // what a load of eight bytes left above
	for r.count < 56 {
		if r.at < len(r.buf) {
			r.hold |= uint64(r.buf[r.at]) << r.count
			r.at++
		} else {
			r.past += 8
		}
		r.count += 8
	}
}

func (r *bitReader) drop(n uint) {
	r.hold >>= n
	r.count -= n
}

// overrun reports whether bits past the end were used.
func (r *bitReader) overrun() bool { return r.past > r.count }
