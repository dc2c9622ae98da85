package pickle

import (
	"fmt"
	"io"
	"math/bits"
)

// memo is what PUT and MEMOIZE have stored for GET.
type memo struct {
	values  []Value // nil where nothing was put; by index, or by rank where fetched is set
	sparse  map[int64]Value
	entries int64 // indices that something was put under
	// fetched is the indices that the pickle reads again, nil where all are to be kept. What
	// is put under another index is in its container and nowhere else: most of a state dict
	// is arguments of calls, which are not kept when the call is understood.
	fetched *fetched
	marked  []uint64           // indices not in fetched that something was put under, a bit each
	far     map[int64]struct{} // the same for those far beyond the others
}

// maxDense is how far beyond its end the memo grows as a slice.
const maxDense = 1 << 12

// keep has the memo hold those indices alone, if there is room for them.
func (m *memo) keep(f *fetched, budget *int64) {
	if cost := f.count * costValue; cost <= *budget {
		*budget -= cost
		m.fetched, m.values = f, make([]Value, f.count)
	}
}

// put stores v and returns an estimate of the memory that it takes. An index may be
// anything, so one far beyond the others costs no more than itself.
func (m *memo) put(index int64, v Value) (cost int64) {
	if m.fetched != nil {
		place, again := m.fetched.place(index)
		if !again {
			return m.mark(index)
		}
		if place >= 0 {
			if m.values[place] == nil {
				m.entries++
			}
			m.values[place] = v
			return 0
		}
	} else if index < int64(len(m.values))+maxDense {
		for int64(len(m.values)) <= index {
			m.values = append(m.values, nil)
			cost += costSlot
		}
		if m.values[index] == nil && m.sparse[index] == nil {
			m.entries++
		}
		m.values[index] = v
		return cost
	}
	if m.sparse == nil {
		m.sparse = map[int64]Value{}
	}
	if m.sparse[index] == nil {
		m.entries++
	}
	m.sparse[index] = v
	return costPair
}

// mark counts an index that nobody reads.
func (m *memo) mark(index int64) (cost int64) {
	word, bit := index/64, uint64(1)<<(index%64)
	if word >= int64(len(m.marked))+maxDense/64 {
		if _, known := m.far[index]; known {
			return 0
		}
		if m.far == nil {
			m.far = map[int64]struct{}{}
		}
		m.far[index] = struct{}{}
		m.entries++
		return costPair
	}
	for int64(len(m.marked)) <= word {
		m.marked = append(m.marked, 0)
		cost += costValue
	}
	if _, known := m.far[index]; !known && m.marked[word]&bit == 0 {
		m.entries++
	}
	m.marked[word] |= bit
	return cost
}

func (m *memo) get(index int64) (Value, error) {
	var v Value
	place := index
	if m.fetched != nil {
		place, _ = m.fetched.place(index)
	}
	if place >= 0 && place < int64(len(m.values)) {
		v = m.values[place]
	}
	if v == nil {
		v = m.sparse[index]
	}
	if v == nil {
		return nil, fmt.Errorf("%w %d", ErrMemo, index)
	}
	return v, nil
}

// fetched is the memo indices that a pickle reads, numbered without gaps.
type fetched struct {
	bits  []uint64
	below []uint32 // how many bits are set in the words before
	count int64
	limit int64 // indices from here on are not told apart
}

// maxFetched is the largest index that fetched holds: larger ones are kept in any case. It
// is more than a pickle of a million tensors has.
const maxFetched = 1 << 26

// readFetched skims the pickle at off. It ends where the pickle does or where it is broken,
// which is where the machine ends, too: what comes after is read by nobody.
func readFetched(r io.ReaderAt, off, end int64, frames Frames, maxOps int64) *fetched {
	f := &fetched{}
	s := NewScanner(r, off, end)
	s.frames, s.skims = frames, true
	limit := min(maxFetched, max(end-off, 0)) // a pickle has fewer entries than bytes
	var op Op
	for ops := int64(0); ops < maxOps && s.Next(&op) == nil && op.Code != Stop; ops++ {
		switch op.Code {
		case Get, BinGet, LongBinGet:
			if op.Int < 0 || op.Int >= limit {
				continue
			}
			word := int(op.Int / 64)
			if word >= len(f.bits) {
				f.bits = append(f.bits, make([]uint64, word+1-len(f.bits))...)
			}
			f.bits[word] |= 1 << (op.Int % 64)
		}
	}
	f.below = make([]uint32, len(f.bits))
	for i, word := range f.bits {
		f.below[i] = uint32(f.count)
		f.count += int64(bits.OnesCount64(word))
	}
	f.limit = limit
	return f
}

// place is the number of an index, and whether it may be read at all: one that is too large
// to be told has the place -1.
func (f *fetched) place(index int64) (place int64, again bool) {
	word := index / 64
	if index < 0 || index >= f.limit {
		return -1, true
	}
	if word >= int64(len(f.bits)) {
		return -1, false
	}
	bit := uint64(1) << (index % 64)
	if f.bits[word]&bit == 0 {
		return -1, false
	}
	return int64(f.below[word]) + int64(bits.OnesCount64(f.bits[word]&(bit-1))), true
}
