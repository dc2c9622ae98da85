package deflate

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

const (
	// windowSize is how far back a match may reach (RFC 1951, 3.2.5).
	windowSize = 32 << 10
	// overshoot is how far the decoder may write behind the block that it fills: two
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

// leave is where the decoder stands behind the block that next returned, with the
// output around it: 32 KiB before, and what a match wrote beyond the block.
func (d *decoder) leave() (state, []byte) {
	s := d.state
	s.bit = d.in.position()
	return s, d.out[blockSize:d.n]
}

// header reads the beginning of a block (RFC 1951, 3.2.3).
func (d *decoder) header() bool {
	if d.final {
		d.phase = atEnd
		return true
	}
	d.in.refill()
	d.final = d.in.hold&1 != 0
	kind := d.in.hold >> 1 & 3
	d.in.drop(3)
	switch kind {
	case 0:
		d.phase = inStored
		return d.storedHeader()
	case 1:
		d.codes = fixedLengths()
	case 2:
		if !d.dynamic() {
			return false
		}
	default:
		return false
	}
	d.phase = inCodes
	return d.tables.set(&d.codes)
}

func (d *decoder) storedHeader() bool {
	d.in.drop(d.in.count & 7)
	d.in.refill()
	length := uint16(d.in.hold)
	if length != ^uint16(d.in.hold>>16) {
		return false
	}
	d.in.drop(32)
	d.stored = int(length)
	return true
}

// copyStored copies of a stored block, first what bits are held, then bytes.
func (d *decoder) copyStored(target int) bool {
	in := &d.in
	for ; d.stored > 0 && d.n < target && in.count > 0; d.stored-- {
		if in.count <= in.past {
			return false
		}
		d.out[d.n] = byte(in.hold)
		d.n++
		in.drop(8)
	}
	if in.count == 0 {
		in.hold = 0 // a load of eight bytes left more there than it counted
		n := copy(d.out[d.n:target], in.buf[in.at:min(len(in.buf), in.at+d.stored)])
		if n == 0 && d.stored > 0 && d.n < target && in.off == in.end {
			return false
		}
		d.n += n
		in.at += n
		d.stored -= n
	}
	if d.stored == 0 {
		d.phase = atHeader
	}
	return true
}

// dynamic reads the codes of a block (RFC 1951, 3.2.7). It needs up to 300 bytes of
// input, so it asks for more as it goes.
func (d *decoder) dynamic() bool {
	in := &d.in
	in.refill()
	l := codeLengths{literals: int(in.hold&31) + 257}
	l.values = l.literals + int(in.hold>>5&31) + 1
	codes := int(in.hold>>10&15) + 4
	in.drop(14)
	if l.literals > 286 || l.values-l.literals > 30 {
		return false
	}
	var lengths [19]uint8
	for _, symbol := range codeOrder[:codes] {
		in.more()
		in.refill()
		lengths[symbol] = uint8(in.hold & 7)
		in.drop(3)
	}
	if !build(d.tables.codes[:], codeBits, lengths[:], codeEntry) {
		return false
	}
	for i := 0; i < l.values; {
		in.more()
		in.refill()
		e := d.tables.codes[in.hold&(1<<codeBits-1)]
		if e == 0 || in.overrun() {
			return false
		}
		in.drop(uint(e & 31))
		symbol := uint8(e >> 16)
		if symbol < 16 {
			l.bits[i] = symbol
			i++
			continue
		}
		var value uint8
		var repeat int
		switch symbol {
		case 16:
			if i == 0 {
				return false
			}
			value, repeat = l.bits[i-1], 3+int(in.hold&3)
			in.drop(2)
		case 17:
			repeat = 3 + int(in.hold&7)
			in.drop(3)
		default:
			repeat = 11 + int(in.hold&127)
			in.drop(7)
		}
		if repeat > l.values-i {
			return false
		}
		for range repeat {
			l.bits[i] = value
			i++
		}
	}
	d.codes = l
	return l.bits[256] != 0 // or the block could not end
}

// before is the bytes of output that a match may reach back to.
func (d *decoder) before(n int) int64 { return d.pos + int64(n-windowSize) }

// fast decodes while input and output are far from their ends: nothing is checked but
// codes and distances. What it works with lies in variables, for the sake of registers.
func (d *decoder) fast(target int) bool {
	t := &d.tables
	src, at, hold, count, out, n := d.in.buf, d.in.at, d.in.hold, d.in.count, d.out, d.n
	ok := true
	for n < target && len(src)-at >= 16 {
		hold |= binary.LittleEndian.Uint64(src[at:]) << (count & 63)
		at += int(63-count) >> 3
		count |= 56
		e := t.litlen[hold&(1<<litlenBits-1)]
		if e&entryLiteral != 0 {
			out[n] = byte(e >> 16)
			n++
			hold >>= e & 31
			count -= uint(e & 31)
			e = t.litlen[hold&(1<<litlenBits-1)]
			if e&entryLiteral != 0 {
				out[n] = byte(e >> 16)
				n++
				hold >>= e & 31
				count -= uint(e & 31)
				e = t.litlen[hold&(1<<litlenBits-1)]
				if e&entryLiteral != 0 {
					out[n] = byte(e >> 16)
					n++
					hold >>= e & 31
					count -= uint(e & 31)
					continue
				}
			}
			// Two codes of at most 11 bits are gone; a length, a distance and their extra
			// bits take up to 48 more.
			hold |= binary.LittleEndian.Uint64(src[at:]) << (count & 63)
			at += int(63-count) >> 3
			count |= 56
		}
		if e&entrySecond != 0 {
			hold >>= litlenBits
			count -= litlenBits
			e = t.litlen[uint(e>>16)+uint(hold)&(1<<(e>>8&15)-1)]
			if e&entryLiteral != 0 {
				out[n] = byte(e >> 16)
				n++
				hold >>= e & 31
				count -= uint(e & 31)
				continue
			}
		}
		hold >>= e & 31
		count -= uint(e & 31)
		if e&entryEnd != 0 {
			d.phase = atHeader
			break
		}
		length := int(e>>16) + int(hold&(1<<(e>>8&15)-1))
		hold >>= e >> 8 & 15
		count -= uint(e >> 8 & 15)

		f := t.distance[hold&(1<<distanceBits-1)]
		if f&entrySecond != 0 {
			hold >>= distanceBits
			count -= distanceBits
			f = t.distance[uint(f>>16)+uint(hold)&(1<<(f>>8&15)-1)]
		}
		hold >>= f & 31
		count -= uint(f & 31)
		gap := int(f>>16) + int(hold&(1<<(f>>8&15)-1))
		hold >>= f >> 8 & 15
		count -= uint(f >> 8 & 15)
		if e == 0 || f == 0 || int64(gap) > d.before(n) {
			ok = false
			break
		}
		copyMatch(out, n, gap, length)
		n += length
	}
	d.in.at, d.in.hold, d.in.count, d.n = at, hold, count, n
	return ok
}

// copyMatch repeats length bytes from gap bytes before n. It may write up to 15
// bytes more than it should: the overshoot has room for them.
func copyMatch(out []byte, n, gap, length int) {
	if gap >= length && length > 32 {
		copy(out[n:n+length], out[n-gap:])
		return
	}
	i := 0
	if gap < 8 {
		// What repeats after gap bytes also does after the next multiple of eight or more.
		wide := (8 + gap - 1) / gap * gap
		for ; i < wide-gap; i++ {
			out[n+i] = out[n+i-gap]
		}
		gap = wide
	}
	from, to := out[n-gap:], out[n:n+length+15]
	for ; i < length; i += 8 {
		binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
	}
}

// step decodes one symbol, near the end of the input.
func (d *decoder) step(target int) bool {
	if d.phase != inCodes || d.n >= target {
		return true
	}
	in := &d.in
	in.refill()
	e := in.symbol(d.tables.litlen[:], litlenBits)
	switch {
	case e&entryLiteral != 0:
		d.out[d.n] = byte(e >> 16)
		d.n++
		return true
	case e&entryEnd != 0:
		d.phase = atHeader
		return true
	case e == 0:
		return false
	}
	length := in.value(e)
	in.refill()
	e = in.symbol(d.tables.distance[:], distanceBits)
	gap := in.value(e)
	if e == 0 || int64(gap) > d.before(d.n) {
		return false
	}
	copyMatch(d.out, d.n, gap, length)
	d.n += length
	return true
}

// symbol looks up the next code.
func (r *bitReader) symbol(table []uint32, first uint) uint32 {
	e := table[r.hold&(1<<first-1)]
	if e&entrySecond != 0 {
		r.drop(first)
		e = table[uint(e>>16)+uint(r.hold)&(1<<(e>>8&15)-1)]
	}
	r.drop(uint(e & 31))
	return e
}

// value is a length or a distance with its extra bits.
func (r *bitReader) value(e uint32) int {
	n := int(e>>16) + int(r.hold&(1<<(e>>8&15)-1))
	r.drop(uint(e >> 8 & 15))
	return n
}
