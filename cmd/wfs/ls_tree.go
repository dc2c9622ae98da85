package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"wfs/formats/checkpoint"
	"wfs/formats/keys"
	"wfs/formats/quantity"
)

// maxTreeLevels bounds how deep keys are split: the rest of a longer one is one name.
const maxTreeLevels = 64

// branch is a directory of the tree of keys, or a tensor in it.
type branch struct {
	name     string
	tensor   *listed // nil for a directory
	children []*branch
	byName   map[string]*branch // of the directories among them
	counting
}

func newBranch(name string, of ties) *branch {
	return &branch{name: name, byName: map[string]*branch{}, counting: *newCounting(of)}
}

// tree prints directories with what is in them, as deep as the flags say.
func (l *listing) tree() {
	shared := tiesOf(slices.Values(l.tensors))
	root := newBranch(l.plan.Model.Path, shared)
	for i := range l.tensors {
		t := &l.tensors[i]
		parts := t.parts()
		if len(parts) > maxTreeLevels {
			parts = append(parts[:maxTreeLevels:maxTreeLevels], strings.Join(parts[maxTreeLevels:], t.separator))
		}
		at := root
		at.add(*t)
		for _, part := range parts[:len(parts)-1] {
			next := at.byName[part]
			if next == nil {
				next = newBranch(part, shared)
				at.byName[part] = next
				at.children = append(at.children, next)
			}
			at = next
			at.add(*t)
		}
		at.children = append(at.children, &branch{name: parts[len(parts)-1], tensor: t})
	}
	separator := "."
	if len(l.tensors) > 0 {
		separator = l.tensors[0].separator
	}
	l.order(root)
	fmt.Fprintf(l.stdout, "%s  %s\n", l.style.directory(visible(root.name)), root.totals.String())
	depth := l.opt.Depth
	if depth == 0 {
		depth = maxTreeLevels + 1
	}
	l.branches(root, "", separator, depth)
	for _, o := range l.omitted {
		fmt.Fprintf(l.stdout, "left out: %s: %s\n", visible(o.Key), visible(o.Reason))
	}
}

// order sorts the children of directories as the tensors are: by size those of directories too.
func (l *listing) order(b *branch) {
	switch l.opt.Sort {
	case "name":
		slices.SortStableFunc(b.children, func(x, y *branch) int { return keys.Compare(x.name, y.name) })
	case "size":
		slices.SortStableFunc(b.children, func(x, y *branch) int { return int(min(1, max(-1, y.size()-x.size()))) })
	}
	for _, c := range b.children {
		l.order(c)
	}
}

func (b *branch) size() int64 {
	if b.tensor != nil {
		return b.tensor.Data.Size()
	}
	return b.Bytes
}

// branches prints what is in a directory. One that holds nothing but a directory is on a line
// with that.
func (l *listing) branches(b *branch, indent, separator string, depth int) {
	names := make([]string, len(b.children))
	width := 0
	for i, c := range b.children {
		names[i] = visible(c.name)
		for c.tensor == nil && len(c.children) == 1 && c.children[0].tensor == nil {
			c = c.children[0]
			names[i] += separator + visible(c.name)
		}
		b.children[i] = c
		width = max(width, utf8.RuneCountInString(names[i]))
	}
	for i, c := range b.children {
		mark, below := "├── ", "│   "
		if i == len(b.children)-1 {
			mark, below = "└── ", "    "
		}
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(names[i]))
		if c.tensor != nil {
			line := fmt.Sprintf("%s%s  %s %s %s", names[i], pad, l.style.dtype(c.tensor.DType.String()), checkpoint.ShapeText(c.tensor.Shape), quantity.Bytes(c.tensor.Data.Size()))
			if c.tensor.Tied != nil {
				line += "  = " + visible(c.tensor.Tied.Key)
			}
			fmt.Fprintln(l.stdout, indent+mark+line)
			continue
		}
		fmt.Fprintf(l.stdout, "%s%s%s%s  %s, %s\n", indent, mark, l.style.directory(names[i]), pad, quantity.Of(c.Tensors, "tensor"), quantity.Bytes(c.Bytes))
		if depth > 1 {
			l.branches(c, indent+below, separator, depth-1)
		}
	}
}
