package tree

import (
	"context"
	"errors"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/diff"
	"wfs/formats/npy"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// BuildDiff makes the tree of a comparison: a/ and b/ hold, as .npy, the tensors of each side
// that are not known to be identical; delta/ holds b - a of those whose values can be
// compared; summary.txt and summary.json, which compare all values when the first of them is
// read, say which differ. It reads nothing: of tensors with equal dtype and shape it is not
// known yet whether they differ.
func BuildDiff(c *diff.Comparison, a, b *checkpoint.Model) (*Tree, error) {
	t := &builder{tree: &Tree{}, subs: map[subdir]*Dir{}}
	var first source.Source
	for _, m := range []*checkpoint.Model{a, b} {
		for _, s := range m.Shards() {
			if first == nil {
				first = s.Source
			}
			if s.Source.ModTime().After(t.tree.ModTime) {
				t.tree.ModTime = s.Source.ModTime()
			}
		}
	}
	if first == nil {
		return nil, errors.New("neither side holds a weight file")
	}
	root := t.newDir(nil, "")
	t.tree.Root = root
	inA, inB, deltas := t.sub(root, "a", ".npy"), t.sub(root, "b", ".npy"), t.sub(root, "delta", ".npy")
	taken := map[subdir]bool{}
	add := func(d *Dir, key string, src source.Source, c content) {
		name := EncodeName(key)
		if !taken[subdir{d, name}] {
			taken[subdir{d, name}] = true
			link(d, name, t.newFile(src, c, false))
		}
	}
	identical, incomparable := 0, 0
	for _, p := range c.Pairs {
		if p.Verdict == diff.Identical {
			identical++
			continue
		}
		add(inA, p.A.Key, p.A.Source, (*npyOf)(p.A.Tensor))
		add(inB, p.B.Key, p.B.Source, (*npyOf)(p.B.Tensor))
		if data, dtype, ok := p.Delta(); ok {
			add(deltas, p.A.Key, twoSources{p.A.Source, p.B.Source}, deltaOf{npy.Header(npy.Descr(dtype), p.A.Shape), data})
		} else if p.SameShape() {
			incomparable++
		}
	}
	for _, x := range c.Removed {
		add(inA, x.Key, x.Source, (*npyOf)(x.Tensor))
	}
	for _, x := range c.Added {
		add(inB, x.Key, x.Source, (*npyOf)(x.Tensor))
	}
	verify := func() error { return errors.Join(a.Verify(), b.Verify()) }
	// Both texts are made of one comparison, by one reader at a time. Their sizes are taken
	// now, while nobody compares.
	turn := make(chan struct{}, 1)
	summary := func(name string, s *diff.Summary) {
		size := s.Size()
		link(root, name, t.newFile(first, &computed{size: func() int64 { return size }, write: func(ctx context.Context) ([]byte, error) {
			if err := segment.Turn(ctx, turn, c.BytesRead); err != nil {
				return nil, err
			}
			defer func() { <-turn }()
			return s.Write(ctx, verify)
		}}, false))
	}
	summary("summary.txt", c.TextSummary())
	summary("summary.json", c.JSONSummary())
	if identical > 0 {
		t.note(fmt.Sprintf("%d tensors are left out: they are the same bytes of the same file", identical))
	}
	if incomparable > 0 {
		t.note(fmt.Sprintf("%d tensors have no delta/: wfs does not read their dtypes as numbers", incomparable))
	}
	for _, n := range t.tree.Nodes {
		if n.Dir != nil {
			n.Dir.sort()
		}
	}
	return t.tree, nil
}

// deltaOf is a header and the differences after it.
type deltaOf struct {
	header []byte
	data   segment.Data
}

// Size implements content.
func (d deltaOf) Size() int64 { return int64(len(d.header)) + d.data.Size() }

// Open implements content.
func (d deltaOf) Open() (segment.Data, error) { return npyFile(d.header, d.data) }

// twoSources is what a difference is read of: both are verified.
type twoSources struct {
	source.Source
	other source.Source
}

// Verify implements source.Source.
func (s twoSources) Verify() error { return errors.Join(s.Source.Verify(), s.other.Verify()) }
