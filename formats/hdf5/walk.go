package hdf5

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxDepth     = 256 // of groups in groups
	maxSoftLinks = 16  // on the way to one object, as in the library (H5L_NUM_LINKS)
)

var errNoObject = errors.New("no such object")

// maxAgain bounds the names that a walk gives below groups that it gave before: few
// groups that hold each other several times make names without end.
const maxAgain = 1 << 16

// walker is one walk over the links of a file.
type walker struct {
	m      *metadata
	root   *Group
	fn     func(path string, obj Object) error
	walked map[uint64]*walked // groups, by address
	later  []laterLink        // what is followed when all else was given
	second bool               // it is being followed
	links  int
	again  int   // links below groups that were walked before
	spare  int64 // bytes that those must leave to be read
	// Of the groups that soft links led through:
	groups map[uint64]*Group
	names  map[uint64]map[string]Link
	steps  int // along soft links
}

// walked is what is remembered of a group when all below it was given.
type walked struct {
	path  string
	links int   // below it
	bytes int64 // of structures that were read for them
}

// place is where a walk is: a group and those that it is in.
type place struct {
	*Group
	path  string // ends in a slash; empty for the root
	up    *place
	depth int
	again bool // it was walked before
}

// laterLink is a soft link, or a further hard link to a group.
type laterLink struct {
	at *place
	l  Link
}

// Walk calls fn for every name of an object but the root's: groups before what is in
// them. The path has no leading slash. An object that has several names is given with
// each of them, and with one address; the same holds for what is in a group that has
// several. The first names are those along hard links; soft links and the further names
// of groups come last. A link that leads out of the file, to nothing or to something
// broken is given as an *Unreachable, and so is one back to a group that it is in, and
// one to a group whose names are too many to give them all again. An error from fn ends
// the walk.
func (f *File) Walk(fn func(path string, obj Object) error) error {
	root, err := f.Root()
	if err != nil {
		return err
	}
	w := &walker{
		m: f.metadata(f.everything()), root: root, fn: fn,
		walked: map[uint64]*walked{}, groups: map[uint64]*Group{}, names: map[uint64]map[string]Link{},
	}
	w.spare = w.m.left / 4
	defer func() { w.m.heaps = heapCache{} }() // objects keep w.m
	links, err := w.m.links(root)
	if err != nil {
		return err
	}
	if err := w.group(&place{Group: root}, links); err != nil {
		return err
	}
	w.second = true
	for i := range w.later {
		if err := w.link(w.later[i].at, &w.later[i].l); err != nil {
			return err
		}
	}
	return nil
}

// left is how many bytes of structures may still be read.
func (w *walker) left() int64 {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return w.m.left
}

// group gives what is in a group.
func (w *walker) group(at *place, links []Link) error {
	for i := range links {
		if at.again {
			if w.again++; w.again > maxAgain || w.left() < w.spare {
				reason := "too many names in groups that have several: not all are listed"
				return w.fn(at.path+links[i].Name, &Unreachable{node: at.node, Reason: reason})
			}
		} else if w.links++; w.links > w.m.f.opt.MaxObjects {
			return &FormatError{w.m.f.offset(at.addr), fmt.Sprintf("group: the file has more than %d links", w.m.f.opt.MaxObjects)}
		}
		if links[i].Kind == SoftLink && !w.second {
			w.later = append(w.later, laterLink{at, links[i]})
			continue
		}
		if err := w.link(at, &links[i]); err != nil {
			return err
		}
	}
	return nil
}

// link gives the object of a link, and what is below it.
func (w *walker) link(at *place, l *Link) error {
	path := at.path + l.Name
	obj, below, left, err := w.look(at, l)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	sub, ok := obj.(*Group)
	if !ok {
		return w.fn(path, obj)
	}
	before := w.walked[sub.addr]
	if before != nil && !w.second {
		w.later = append(w.later, laterLink{at, *l})
		return nil
	}
	if err := w.fn(path, obj); err != nil {
		return err
	}
	links := w.links
	err = w.group(&place{sub, path + "/", at, at.depth + 1, at.again || before != nil}, below)
	if err == nil && before == nil {
		w.m.mu.Lock()
		defer w.m.mu.Unlock()
		w.walked[sub.addr] = &walked{path, w.links - links, left - w.m.left}
	}
	return err
}

// look opens the object of a link and, if it is a group that is to be walked into now,
// lists what is in it. What could be read before is returned too.
func (w *walker) look(at *place, l *Link) (obj Object, below []Link, left int64, err error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	left = w.m.left
	obj, err = w.open(at.Group, l, 0)
	if sub, ok := obj.(*Group); err == nil && ok {
		before := w.walked[sub.addr]
		switch reason := w.refused(at, sub, before); {
		case reason != "":
			err = &UnsupportedError{reason}
		case before == nil || w.second:
			below, err = w.m.links(sub)
		}
	}
	if err != nil {
		obj, err = w.unreachable(l, err)
	}
	return obj, below, left, err
}

// refused says why what is below a group is not given at a place, or "".
func (w *walker) refused(at *place, sub *Group, before *walked) string {
	for up := at; up != nil; up = up.up {
		if up.addr == sub.addr {
			return fmt.Sprintf("it leads back to /%s, a group that it is in", strings.TrimSuffix(up.path, "/"))
		}
	}
	switch {
	case at.depth >= maxDepth:
		return fmt.Sprintf("groups nested more than %d deep", maxDepth)
	case before != nil && w.second && (w.again+before.links > maxAgain || w.m.left-before.bytes < w.spare):
		return fmt.Sprintf("the same group as /%s, whose names are too many to list them again", before.path)
	}
	return ""
}

// unreachable turns an error of one object into an object that says so. An error of
// the source, or the end of the budget, ends the walk instead.
func (w *walker) unreachable(l *Link, err error) (Object, error) {
	var broken *FormatError
	var unsupported *UnsupportedError
	n := node{w.m.f, l.Addr, w.m}
	switch {
	case w.m.left < 0:
		return nil, err
	case errors.As(err, &unsupported):
		return &Unreachable{n, unsupported.Reason, nil}, nil
	case errors.Is(err, errNoObject):
		return &Unreachable{n, fmt.Sprintf("soft link to %s: %v", l.Target, errNoObject), nil}, nil
	case errors.As(err, &broken):
		return &Unreachable{n, err.Error(), err}, nil
	}
	return nil, err
}

// open opens the object that a link of a group leads to.
func (w *walker) open(g *Group, l *Link, followed int) (Object, error) {
	switch l.Kind {
	case HardLink:
		return w.m.object(l.Addr)
	case SoftLink:
		return w.resolve(g, l.Target, followed+1)
	case ExternalLink:
		return nil, &UnsupportedError{fmt.Sprintf("external link to %s in another file: %s", l.Target, l.File)}
	}
	return nil, &UnsupportedError{"user-defined link of " + l.Target}
}

// resolve walks a soft link's path, from its group or from the root.
func (w *walker) resolve(g *Group, path string, followed int) (Object, error) {
	if followed > maxSoftLinks {
		return nil, &UnsupportedError{fmt.Sprintf("more than %d soft links on the way to one object", maxSoftLinks)}
	}
	var at Object = g
	if strings.HasPrefix(path, "/") {
		at = w.root
	}
	for step := range strings.SplitSeq(path, "/") {
		if step == "" || step == "." {
			continue
		}
		in, ok := at.(*Group)
		if !ok {
			return nil, errNoObject
		}
		if w.steps++; w.steps > 4*w.m.f.opt.MaxObjects {
			return nil, &UnsupportedError{"soft links lead through too many groups"}
		}
		l, err := w.find(in, step)
		if err != nil {
			return nil, err
		}
		if g := w.groups[l.Addr]; g != nil && l.Kind == HardLink {
			at = g
			continue
		}
		if at, err = w.open(in, &l, followed); err != nil {
			return nil, err
		}
		if g, ok := at.(*Group); ok && l.Kind == HardLink {
			w.groups[l.Addr] = g
		}
	}
	return at, nil
}

// find looks a name up in a group, whose names are kept: many soft links lead
// through the same groups.
func (w *walker) find(g *Group, name string) (Link, error) {
	names := w.names[g.addr]
	if names == nil {
		links, err := w.m.links(g)
		if err != nil {
			return Link{}, err
		}
		names = make(map[string]Link, len(links))
		for _, l := range links {
			names[l.Name] = l
		}
		w.names[g.addr] = names
	}
	l, ok := names[name]
	if !ok {
		return l, errNoObject
	}
	return l, nil
}

// Open opens the object at a path from the root; soft links on it are followed.
func (f *File) Open(path string) (Object, error) {
	root, err := f.Root()
	if err != nil {
		return nil, err
	}
	w := &walker{m: f.metadata(f.everything()), root: root, groups: map[uint64]*Group{}, names: map[uint64]map[string]Link{}}
	obj, err := w.resolve(root, path, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return obj, nil
}
