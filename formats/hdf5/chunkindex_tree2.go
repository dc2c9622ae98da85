package hdf5

// tree2 loads the index of datasets that may grow in several dimensions: a B-tree
// of version 2 whose records hold a chunk's position in the grid (VII.E).
func (in *indexLoader) tree2() error {
	d := in.d
	rank := len(d.layout.chunk)
	at := make([]uint64, rank)
	filtered := len(d.filters) > 0
	kind := uint8(tree2Chunks)
	if filtered {
		kind = tree2FilteredChunk
	}
	return in.m.walkTree2(d.layout.addr, kind, func(r *cursor) error {
		addr, size, mask := r.address(), d.layout.chunkBytes, uint32(0)
		if filtered {
			// The width of the size is what the rest of the record leaves.
			width := len(r.b) - d.f.offsetSize - 4 - 8*rank
			if width < 1 || width > 8 {
				return r.errorf("%d bytes", len(r.b))
			}
			size, mask = r.uint(width), r.u32()
		}
		for i := range at {
			at[i] = r.u64()
		}
		if err := r.err(); err != nil {
			return err
		}
		return in.add(at, addr, size, mask)
	})
}
