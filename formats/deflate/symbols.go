package deflate

import "encoding/binary"

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
