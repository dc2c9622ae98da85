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

// walker is one walk over the links of a file.
type walker struct {
	m    *metadata
	root *Group
	fn   func(path string, obj Object) error
	seen map[uint64]bool // groups that were walked into
	// Of the groups that soft links led through:
	groups map[uint64]*Group
	names  map[uint64]map[string]Link
	links  int
	steps  int // along soft links
}

// Walk calls fn for every link of the file but the root: groups before what is in
// them. The path has no leading slash. An object with several hard links is given
// once for each, with one address; what is in a group is given once. A soft link
// is given as the object it leads to; a link that leads out of the file, to nothing
// or to something broken, as an *Unreachable. An error from fn ends the walk.
func (f *File) Walk(fn func(path string, obj Object) error) error {
	root, err := f.Root()
	if err != nil {
		return err
	}
	w := &walker{
		m: f.metadata(f.everything()), root: root, fn: fn,
		seen: map[uint64]bool{f.root: true}, groups: map[uint64]*Group{}, names: map[uint64]map[string]Link{},
	}
	defer func() { w.m.heaps = heapCache{} }() // objects keep w.m
	links, err := w.m.links(root)
	if err != nil {
		return err
	}
	return w.group(root, links, "", 0)
}

func (w *walker) group(g *Group, links []Link, prefix string, depth int) error {
	for i := range links {
		if w.links++; w.links > w.m.f.opt.MaxObjects {
			return &FormatError{w.m.f.offset(g.addr), fmt.Sprintf("group: the file has more than %d links", w.m.f.opt.MaxObjects)}
		}
		if err := w.link(g, &links[i], prefix+links[i].Name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) link(g *Group, l *Link, path string, depth int) error {
	obj, below, err := w.look(g, l, depth)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := w.fn(path, obj); err != nil {
		return err
	}
	if sub, ok := obj.(*Group); ok && below != nil {
		return w.group(sub, below, path+"/", depth+1)
	}
	return nil
}

// look opens the object of a link, and lists what is below it if it is to be walked
// into.
func (w *walker) look(g *Group, l *Link, depth int) (obj Object, below []Link, err error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	obj, err = w.open(g, l, 0)
	if sub, ok := obj.(*Group); err == nil && ok && l.Kind == HardLink && !w.seen[sub.addr] {
		w.seen[sub.addr] = true
		if depth >= maxDepth {
			err = &UnsupportedError{fmt.Sprintf("groups nested more than %d deep", maxDepth)}
		} else {
			below, err = w.m.links(sub)
		}
	}
	if err != nil {
		obj, err = w.unreachable(l, err)
		return obj, nil, err
	}
	return obj, below, nil
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
