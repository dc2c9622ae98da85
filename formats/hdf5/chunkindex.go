package hdf5

import (
	"fmt"
	"slices"
)

// chunkEntry is where one chunk lies: 24 bytes.
type chunkEntry struct {
	place uint64 // in the chunk grid, row by row
	addr  uint64
	size  uint32 // bytes in the file
	mask  uint32 // bit n: filter n was not applied
}

// chunkIndex finds the chunks of a dataset. Chunks that are not in it were never
// written.
type chunkIndex struct {
	entries []chunkEntry // by place
	// Implicit indexes are no more than an address: all chunks lie there in order.
	implicit bool
	d        *Dataset
}

// find returns a chunk's entry.
func (x *chunkIndex) find(place uint64, at []uint64) (chunkEntry, bool) {
	if x.implicit {
		d := x.d
		// Chunks are in the order of the greatest grid, not of today's.
		return chunkEntry{place, d.layout.addr + linear(at, d.most)*d.layout.chunkBytes, uint32(d.layout.chunkBytes), 0}, true
	}
	i, ok := slices.BinarySearchFunc(x.entries, place, func(e chunkEntry, p uint64) int {
		switch {
		case e.place < p:
			return -1
		case e.place > p:
			return 1
		}
		return 0
	})
	if !ok {
		return chunkEntry{}, false
	}
	return x.entries[i], true
}

// linear is the place of a position in a grid, row by row.
func linear(at, grid []uint64) uint64 {
	n := uint64(0)
	for i := range at {
		n = n*grid[i] + at[i]
	}
	return n
}

// position is the inverse of linear.
func position(at, grid []uint64, n uint64) {
	for i := len(at) - 1; i > 0; i-- {
		at[i], n = n%grid[i], n/grid[i]
	}
	at[0] = n
}

// chunks returns the dataset's chunk index and loads it at the first call.
func (d *Dataset) chunks() (*chunkIndex, error) {
	if x, ok := d.f.loaded.Load(d.addr); ok {
		return x.(*chunkIndex), nil
	}
	return d.f.indexes.do(d.addr, func() (*chunkIndex, error) {
		if x, ok := d.f.loaded.Load(d.addr); ok {
			return x.(*chunkIndex), nil
		}
		// An array has room for the greatest grid, so each chunk of today's may lie in a
		// page of its own.
		x, err := d.loadIndex(d.f.metadata(d.f.everything()))
		if err != nil {
			return nil, fmt.Errorf("chunk index: %w", err)
		}
		d.f.loaded.Store(d.addr, x)
		return x, nil
	})
}

// indexLoader collects the entries of one index within bounds.
type indexLoader struct {
	d       *Dataset
	m       *metadata
	entries []chunkEntry
	most    uint64
	sorted  bool
}

func (d *Dataset) loadIndex(m *metadata) (*chunkIndex, error) {
	l := d.layout
	if l.index == indexImplicit {
		return d.implicitIndex()
	}
	count, _ := product(1, d.grid)
	// Each chunk has its bytes and its entry, an address at least, in the file. All
	// indexes of a file together are held to the same bound.
	room := uint64(d.f.size) / uint64(d.f.offsetSize)
	in := &indexLoader{d: d, m: m, most: min(count, room), sorted: true}
	var err error
	switch l.index {
	case indexTree1:
		err = in.tree1()
	case indexSingle:
		err = in.single()
	case indexFixedArray:
		err = in.fixedArray()
	case indexExtensibleArray:
		err = in.extensibleArray()
	case indexTree2:
		err = in.tree2()
	}
	if err != nil {
		return nil, err
	}
	if !in.sorted {
		slices.SortFunc(in.entries, func(a, b chunkEntry) int {
			if a.place < b.place {
				return -1
			}
			return 1
		})
	}
	for i := 1; i < len(in.entries); i++ {
		if in.entries[i].place == in.entries[i-1].place {
			return nil, &FormatError{d.f.offset(l.addr), "chunk index: two chunks at one place"}
		}
	}
	if d.f.entries.Add(int64(len(in.entries))) > int64(room) {
		d.f.entries.Add(-int64(len(in.entries)))
		return nil, &FormatError{d.f.offset(l.addr), "chunk index: more chunks than the file can hold"}
	}
	return &chunkIndex{entries: slices.Clip(in.entries)}, nil
}

func (d *Dataset) implicitIndex() (*chunkIndex, error) {
	count, ok := product(d.layout.chunkBytes, d.most)
	if !ok || len(d.filters) > 0 || slices.Contains(d.most, undefined) {
		return nil, &FormatError{d.f.offset(d.layout.addr), "chunk index: implicit, but filtered or without bounds"}
	}
	if _, err := d.f.span(d.layout.addr, count, "chunks"); err != nil {
		return nil, err
	}
	return &chunkIndex{implicit: true, d: d}, nil
}

// add takes the entry of the chunk at a position of the grid. What lies outside
// belonged to the dataset before it shrank.
func (in *indexLoader) add(at []uint64, addr, size uint64, mask uint32) error {
	d := in.d
	for i, n := range at {
		if n >= d.grid[i] {
			return nil
		}
	}
	if addr == undefined {
		return nil
	}
	if _, err := d.f.span(addr, size, "chunk"); err != nil {
		return err
	}
	if size > 1<<32-1 || len(d.filters) == 0 && size != d.layout.chunkBytes {
		return &FormatError{d.f.offset(addr), fmt.Sprintf("chunk: %d bytes in the file for %d", size, d.layout.chunkBytes)}
	}
	if uint64(len(in.entries)) >= in.most {
		return &FormatError{d.f.offset(d.layout.addr), "chunk index: more chunks than there can be"}
	}
	place := linear(at, d.grid[:len(at)])
	if n := len(in.entries); n > 0 && in.entries[n-1].place >= place {
		in.sorted = false
	}
	in.entries = append(in.entries, chunkEntry{place, addr, uint32(size), mask})
	return nil
}

// single is the index of a dataset that is one chunk (VII.A).
func (in *indexLoader) single() error {
	l := in.d.layout
	size := l.chunkBytes
	if len(in.d.filters) > 0 {
		size = l.filteredSize
	}
	return in.add(make([]uint64, len(l.chunk)), l.addr, size, l.filterMask)
}

// element decodes the entry of an array index (VII.C and D): an address, and of
// filtered chunks the size and the filter mask.
func (in *indexLoader) element(c *cursor, filtered bool, sizeBytes int) (addr, size uint64, mask uint32) {
	addr, size = c.address(), in.d.layout.chunkBytes
	if filtered {
		size, mask = c.uint(sizeBytes), c.u32()
	}
	return addr, size, mask
}

// elementSize checks the size of such an entry and returns the width of its size:
// one byte more than the unfiltered size needs, or 8 since layout version 5, which
// is all the same here, as the rest of the entry is known.
func (in *indexLoader) elementSize(c *cursor, client uint8, size int) (filtered bool, sizeBytes int, err error) {
	filtered = client == 1
	if client > 1 || filtered != (len(in.d.filters) > 0) {
		return false, 0, c.errorf("client %d for %d filters", client, len(in.d.filters))
	}
	want := in.d.f.offsetSize
	if filtered {
		sizeBytes = size - want - 4
		want = size
	}
	if size != want || filtered && (sizeBytes < 1 || sizeBytes > 8) {
		return false, 0, c.errorf("entries of %d bytes", size)
	}
	return filtered, sizeBytes, nil
}
