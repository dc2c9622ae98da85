package hdf5

// B-trees of version 1 (III.A.1) index the links of old groups and the chunks of
// datasets in the old layout. A node's level says how far it is from the leaves;
// walking down it must fall by one at each step, so no path is a cycle.
const (
	tree1Groups = 0
	tree1Chunks = 1
)

// walkTree1 calls leaf for each key and child of the tree's leaf nodes, in order.
func (m *metadata) walkTree1(addr uint64, kind uint8, keySize int, leaf func(key *cursor, child uint64) error) error {
	return m.walkNode1(addr, kind, keySize, -1, leaf)
}

func (m *metadata) walkNode1(addr uint64, kind uint8, keySize, level int, leaf func(*cursor, uint64) error) error {
	const what = "B-tree node"
	c, err := m.cursor(addr, uint64(8+2*m.f.offsetSize), what)
	if err != nil {
		return err
	}
	if !c.signature("TREE") {
		return c.errorf("no signature TREE")
	}
	found, at, used := c.u8(), int(c.u8()), int(c.u16())
	if found != kind {
		return c.errorf("type %d", found)
	}
	if level >= 0 && at != level {
		return c.errorf("level %d under level %d", at, level+1)
	}
	if used == 0 {
		return nil
	}
	// Siblings are not followed: a walk from the root meets them anyway. The last
	// key, after the last child, only bounds it.
	each := keySize + m.f.offsetSize
	c, err = m.cursor(addr+uint64(8+2*m.f.offsetSize), uint64(used*each), what)
	if err != nil {
		return err
	}
	for range used {
		key := &cursor{f: m.f, b: c.next(uint64(keySize)), off: c.off, what: "B-tree key"}
		child := c.address()
		if at == 0 {
			err = leaf(key, child)
		} else {
			err = m.walkNode1(child, kind, keySize, at-1, leaf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
