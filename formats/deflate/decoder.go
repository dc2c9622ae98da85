package deflate

import (
	"errors"
	"io"
	"sync"
)

const (
	// windowSize is how far back a match may reach (RFC 1951, 3.2.5).
	windowSize = 32 << 10
	// overshoot is how far the decoder may write past the block that it fills: two
	// literals and a match of 258 bytes, copied in words.
	overshoot = 2 + 258 + 16
)

var errCorrupt = errors.New("the deflate stream is damaged")

// phase is what comes next in the stream.
type phase uint8

const (
	atHeader phase = iota // of a block
	inCodes               // of a block with codes
	inStored              // of a block that is not compressed
	atEnd
)

// state is where a decoder stands, less the 32 KiB of output before it.
type state struct {
	pos    int64 // in the output
	bit    int64 // in the stream
	phase  phase
	final  bool // no block follows this one
	stored int  // bytes left of a stored block
	codes  codeLengths
}

// decoder inflates a raw deflate stream, block after block of output. The output is
// its own window: in front of each block lie the 32 KiB that came before it.
type decoder struct {
	in bitReader
	state
	tables tables
	out    []byte // window, block, overshoot
	n      int    // end of the output in out
}

// decoders are at hand for the next stream: one takes 400 KiB.
var decoders = sync.Pool{New: func() any {
	return &decoder{out: make([]byte, windowSize+blockSize+overshoot), in: bitReader{buf: make([]byte, 0, inputSize)}}
}}

// newDecoder makes a decoder for the stream in the first n bytes of src.
func newDecoder(src io.ReaderAt, n int64) *decoder {
	d := decoders.Get().(*decoder)
	d.in = bitReader{src: src, end: n, buf: d.in.buf[:0]}
	return d
}

// free gives a decoder back.
func (d *decoder) free() {
	d.in.src = nil
	decoders.Put(d)
}

// resume goes to a state, with the output around it that leave gave.
func (d *decoder) resume(s state, around []byte) error {
	d.state = s
	d.n = windowSize + copy(d.out[windowSize:], around[min(len(around), windowSize):])
	copy(d.out, around[:min(len(around), windowSize)])
	if s.phase == inCodes && !d.tables.set(&d.codes) {
		return errCorrupt
	}
	d.in.seek(s.bit)
	return d.in.err
}

// next decodes up to blockSize bytes, and fewer at the end of the stream. They are
// valid until the next call.
func (d *decoder) next() ([]byte, error) {
	// The last 32 KiB of the block before, and what went beyond it, come first.
	target := windowSize + blockSize
	if d.n > target {
		copy(d.out, d.out[blockSize:d.n])
		d.n -= blockSize
	} else if d.n == target {
		copy(d.out, d.out[blockSize:target])
		d.n = windowSize
	}
	for d.n < target && d.phase != atEnd {
		d.in.more()
		var ok bool
		switch d.phase {
		case atHeader:
			ok = d.header()
		case inStored:
			ok = d.copyStored(target)
		case inCodes:
			ok = d.fast(target) && d.step(target)
		}
		switch {
		case d.in.err != nil:
			return nil, d.in.err
		case !ok || d.in.overrun():
			return nil, errCorrupt
		}
	}
	end := min(d.n, target)
	d.pos += int64(end - windowSize)
	return d.out[windowSize:end], nil
}

// leave is where the decoder stands after the block that next returned, with the
// output around it: 32 KiB before, and what a match wrote beyond the block.
func (d *decoder) leave() (state, []byte) {
	s := d.state
	s.bit = d.in.position()
	return s, d.out[blockSize:d.n]
}
