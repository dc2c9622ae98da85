package deflate

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
