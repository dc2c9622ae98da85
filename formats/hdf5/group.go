package hdf5

import (
	"cmp"
	"slices"
	"strings"
)

// Object is a *Group, a *Dataset, a *NamedDatatype, or an *Unreachable.
type Object interface {
	// Address is where the object header lies: equal for all hard links to one object.
	Address() uint64
	// Attrs reads the object's attributes.
	Attrs() ([]Attribute, error)
}

// node is what all objects of a file share.
type node struct {
	f    *File
	addr uint64
	m    *metadata // of the operation that found it, whose budget it spends
}

func (n node) Address() uint64 { return n.addr }

// Group is a set of links.
type Group struct {
	node
	header *header
}

// NamedDatatype is a datatype that was committed to the file under a name.
type NamedDatatype struct {
	node
	Dtype Datatype
}

// Unreachable stands in a Walk for an object that cannot be shown.
type Unreachable struct {
	node
	// Reason is one line: "external link to a.h5", "soft link to /x: no such object".
	Reason string
	// Err is set where the file is broken there.
	Err error
}

// Attrs is always empty.
func (u *Unreachable) Attrs() ([]Attribute, error) { return nil, nil }

// object opens the object at an address.
func (m *metadata) object(addr uint64) (Object, error) {
	h, err := m.header(addr)
	if err != nil {
		return nil, err
	}
	n := node{m.f, addr, m}
	// The order is that of H5O__obj_class_real.
	switch {
	case h.find(messageSymbolTable) != nil || h.find(messageLinkInfo) != nil:
		return &Group{n, h}, nil
	case h.find(messageDatatype) != nil && h.find(messageDataspace) != nil:
		return m.dataset(n, h)
	case h.find(messageDatatype) != nil:
		t, err := m.datatype(h)
		if err != nil {
			return nil, err
		}
		return &NamedDatatype{n, *t}, nil
	}
	return nil, &FormatError{m.f.offset(addr), "object header: neither group, dataset nor datatype"}
}

// Links returns the group's links: in the order of their creation where the file
// keeps it, by name where it does not.
func (g *Group) Links() ([]Link, error) {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.m.links(g)
}

func (m *metadata) links(g *Group) ([]Link, error) {
	var links []Link
	add := func(l Link, err error) error {
		if err != nil {
			return err
		}
		// A name is one step of a path: the library cannot make such links.
		if l.Name == "" || l.Name == "." || strings.ContainsAny(l.Name, "/\x00") {
			return &FormatError{m.f.offset(g.addr), "group: a link has no proper name"}
		}
		if len(links) >= m.f.opt.MaxObjects {
			return &FormatError{m.f.offset(g.addr), "group: too many links"}
		}
		links = append(links, l)
		return nil
	}
	for i := range g.header.messages {
		msg := &g.header.messages[i]
		var err error
		switch msg.kind {
		case messageSymbolTable:
			err = m.symbolTable(msg, add)
		case messageLinkInfo:
			err = m.denseLinks(msg, add)
		case messageLink:
			if msg, err = m.resolve(msg); err == nil {
				err = add(decodeLink(msg.cursor("link message")))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	ordered := true
	for i := range links {
		if i > 0 && links[i].Name == links[i-1].Name {
			return nil, &FormatError{m.f.offset(g.addr), "group: two links have one name"}
		}
		ordered = ordered && links[i].ordered
	}
	if ordered {
		slices.SortStableFunc(links, func(a, b Link) int { return cmp.Compare(a.order, b.order) })
	}
	return links, nil
}

// symbolTable lists the links of an old group: a B-tree of symbol table nodes.
func (m *metadata) symbolTable(msg *message, add func(Link, error) error) error {
	c := msg.cursor("symbol table message")
	tree, names := c.address(), c.address()
	if err := c.err(); err != nil {
		return err
	}
	heap, err := m.openLocalHeap(names)
	if err != nil {
		return err
	}
	return m.walkTree1(tree, tree1Groups, m.f.lengthSize, func(_ *cursor, addr uint64) error {
		c, err := m.cursor(addr, 8, "symbol table node")
		if err != nil {
			return err
		}
		if !c.signature("SNOD") {
			return c.errorf("no signature SNOD")
		}
		if version := c.u8(); version != 1 {
			return c.errorf("version %d", version)
		}
		c.skip(1)
		count := int(c.u16())
		each := m.f.lengthSize + m.f.offsetSize + 24
		if c, err = m.cursor(addr+8, uint64(count*each), "symbol table node"); err != nil {
			return err
		}
		for range count {
			if err := add(decodeSymbol(c, heap)); err != nil {
				return err
			}
		}
		return nil
	})
}

// denseLinks lists the links of a new group that outgrew its header: they lie in a
// fractal heap, and a B-tree holds their names' hashes and heap IDs.
func (m *metadata) denseLinks(msg *message, add func(Link, error) error) error {
	c := msg.cursor("link info message")
	version, flags := c.u8(), c.u8()
	if flags&1 != 0 {
		c.u64() // greatest order of creation
	}
	heapAddr, names := c.address(), c.address()
	if err := c.err(); err != nil {
		return err
	}
	if version != 0 {
		return c.errorf("version %d", version)
	}
	if heapAddr == undefined {
		return nil
	}
	heap, err := m.openHeap(heapAddr)
	if err != nil {
		return err
	}
	// Records come by hash, so by order in the heap at random: sort them first, or
	// every link would load its block anew.
	var ids [][]byte
	err = m.walkTree2(names, tree2LinkNames, func(r *cursor) error {
		r.skip(4) // hash of the name
		ids = append(ids, r.next(uint64(heap.idLength)))
		return r.err()
	})
	if err != nil {
		return err
	}
	for _, b := range heap.inOrder(ids) {
		body, err := heap.object(m, b)
		if err != nil {
			return err
		}
		c := &cursor{f: m.f, b: body, off: m.f.offset(heapAddr), what: "link"}
		if err := add(decodeLink(c)); err != nil {
			return err
		}
	}
	return nil
}
