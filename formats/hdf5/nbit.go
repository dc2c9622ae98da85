package hdf5

import "fmt"

// nbit is the filter of that name (H5Znbit.c): of each number in an element only the
// bits that its type says are significant are kept, packed without gaps.
type nbit struct {
	plain bool // every bit is significant: nothing was done
	count uint64
	size  uint64 // bytes of an element
	root  nbitType
}

// nbitType is the filter's own description of a type, in its parameters.
type nbitType struct {
	class     uint32
	size      uint64
	big       bool
	precision uint64 // in bits, as the offset
	offset    uint64
	base      *nbitType // of an array
	members   []nbitMember
}

type nbitMember struct {
	at uint64
	nbitType
}

// Classes of nbitType.
const (
	nbitAtomic   = 1
	nbitArray    = 2
	nbitCompound = 3
	nbitWhole    = 4 // bytes of which all bits are kept
)

// nbitParameters reads the description.
type nbitParameters struct {
	left  []uint32
	short bool
}

func (p *nbitParameters) next() uint32 {
	if len(p.left) == 0 {
		p.short = true
		return 0
	}
	v := p.left[0]
	p.left = p.left[1:]
	return v
}

// decodeNBit checks the filter's parameters (H5Z__set_local_nbit).
func decodeNBit(client []uint32) (*nbit, string) {
	if len(client) < 3 || uint64(client[0]) != uint64(len(client)) {
		return nil, fmt.Sprintf("the nbit filter has %d parameters", len(client))
	}
	n := &nbit{plain: client[1] != 0, count: uint64(client[2])}
	if n.plain {
		return n, ""
	}
	p := &nbitParameters{left: client[3:]}
	if n.root.class = p.next(); n.root.class == nbitWhole || !p.describe(&n.root, 0) || p.short {
		return nil, "the nbit filter's description of the type"
	}
	n.size = n.root.size
	return n, ""
}

// describe reads what follows the class of a type. Each type has at least one bit, so
// that no description makes work without data.
func (p *nbitParameters) describe(t *nbitType, depth int) bool {
	if depth > maxTypeDepth || p.short {
		return false
	}
	if t.size = uint64(p.next()); t.size == 0 {
		return false
	}
	switch t.class {
	case nbitAtomic:
		order := p.next()
		t.big, t.precision, t.offset = order == 1, uint64(p.next()), uint64(p.next())
		return order <= 1 && t.precision > 0 && t.precision+t.offset <= 8*t.size
	case nbitArray:
		t.base = &nbitType{class: p.next()}
		return p.describe(t.base, depth+1) && t.size%t.base.size == 0
	case nbitCompound:
		count, used := p.next(), uint64(0)
		for range count {
			m := nbitMember{at: uint64(p.next())}
			m.class = p.next()
			if !p.describe(&m.nbitType, depth+1) || m.at+m.size > t.size {
				return false
			}
			if used += m.size; used > t.size {
				return false
			}
			t.members = append(t.members, m)
		}
		return count > 0
	}
	return t.class == nbitWhole
}

// undo fills dst, count elements, from a chunk.
func (n *nbit) undo(dst, src []byte) bool {
	if uint64(len(dst)) != n.count*n.size {
		return false
	}
	clear(dst)
	in := &bitStream{b: src}
	for ; len(dst) > 0 && !in.short; dst = dst[n.size:] {
		n.root.unpack(dst[:n.size], in)
	}
	return !in.short
}

func (t *nbitType) unpack(dst []byte, in *bitStream) {
	switch t.class {
	case nbitAtomic:
		t.atomic(dst, in)
	case nbitArray:
		for at := uint64(0); at < t.size && !in.short; at += t.base.size {
			t.base.unpack(dst[at:at+t.base.size], in)
		}
	case nbitCompound:
		for i := range t.members {
			m := &t.members[i]
			m.unpack(dst[m.at:m.at+m.size], in)
		}
	default:
		for i := range dst {
			dst[i] = byte(in.take(8))
		}
	}
}

// atomic unpacks one number: its bits come from the highest to the lowest, byte by byte.
func (t *nbitType) atomic(dst []byte, in *bitStream) {
	for end := t.precision + t.offset; end > t.offset; {
		from := max((end-1)&^7, t.offset) // the lowest bit in the same byte
		at := from / 8
		if t.big {
			at = t.size - 1 - at
		}
		dst[at] |= byte(in.take(uint(end-from))) << (from % 8)
		end = from
	}
}
