package hdf5

// tree1 loads the index of layouts before version 4: a B-tree of version 1 whose
// keys hold a chunk's size, filter mask and offset in elements (III.A.1).
func (in *indexLoader) tree1() error {
	d := in.d
	rank := len(d.layout.chunk)
	at := make([]uint64, rank)
	return in.m.walkTree1(d.layout.addr, tree1Chunks, 4+4+8*(rank+1), func(key *cursor, addr uint64) error {
		size, mask := uint64(key.u32()), key.u32()
		for i := range at {
			n := key.u64()
			if n%d.layout.chunk[i] != 0 {
				return key.errorf("a chunk begins at element %d of dimension %d", n, i)
			}
			at[i] = n / d.layout.chunk[i]
		}
		if err := key.err(); err != nil {
			return err
		}
		return in.add(at, addr, size, mask)
	})
}
