package tree

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/ops"
	"wfs/formats/safetensors"
	"wfs/formats/source"
	"wfs/formats/view"
)

// Layouts: what of DESIGN's tree is shown.
const (
	Full    = "full"    // everything
	HF      = "hf"      // the root only, for serving
	Tensors = "tensors" // the directories of single tensors only
)

// Options choose what a tree shows.
type Options struct {
	Layout string // Full, HF or Tensors; "" is Full
}

// reserved are the directories of wfs in the root.
var reserved = []string{"tensors", "tree", "raw", "f32", "meta"}

type builder struct {
	plan  *view.Plan
	tree  *Tree
	subs  map[subdir]*Dir
	files []File // room for the next ones: a tree has several hundred thousand
	npys  map[*checkpoint.Tensor]*File
	raws  map[*checkpoint.Tensor]*File
	wides map[*checkpoint.Tensor]*File
	meta  *metadata
	// reserved are the names in the root that the source cannot have.
	reserved []string
	// sets are the directories of weight sets in tensors/, tree/, raw/ and f32/.
	sets map[*Dir]bool
}

// Build makes the tree of a plan. It reads nothing, and two trees of one plan are equal.
func Build(p *view.Plan, opt Options) (*Tree, error) {
	b := &builder{
		plan: p, tree: &Tree{}, subs: map[subdir]*Dir{}, npys: map[*checkpoint.Tensor]*File{},
		raws: map[*checkpoint.Tensor]*File{}, wides: map[*checkpoint.Tensor]*File{}, sets: map[*Dir]bool{},
	}
	b.meta = newMetadata(p)
	for _, s := range p.Shown.Shards() {
		if s.Source.ModTime().After(b.tree.ModTime) {
			b.tree.ModTime = s.Source.ModTime()
		}
	}
	b.tree.Root = b.newDir(nil, "")
	if opt.Layout != Tensors {
		if opt.Layout != HF {
			b.reserved = reserved
		}
		if err := b.root(); err != nil {
			return nil, err
		}
	}
	if opt.Layout != HF {
		b.tensors(opt.Layout == Tensors)
		b.metaDir()
	}
	for _, n := range b.tree.Nodes {
		if n.Dir != nil {
			n.Dir.sort()
		} else if n.File.Counted {
			b.tree.Bytes += n.File.Size()
		}
	}
	return b.tree, nil
}

func (b *builder) newDir(parent *Dir, suffix string) *Dir {
	d := &Dir{Ino: b.ino(), Parent: parent, Suffix: suffix}
	b.tree.Nodes = append(b.tree.Nodes, Node{Dir: d})
	return d
}

func (b *builder) ino() uint64 { return uint64(len(b.tree.Nodes) + 1) }

// sub finds or makes a subdirectory.
func (b *builder) sub(d *Dir, name, suffix string) *Dir {
	place := subdir{d, name}
	if s := b.subs[place]; s != nil {
		return s
	}
	s := b.newDir(d, suffix)
	b.subs[place] = s
	d.Dirs = append(d.Dirs, DirEntry{name, s})
	return s
}

// below makes the directories of a weight set below d. In tree/ a key of the set above
// may have made one of that name: a lone '%' at the end, which no coded name has,
// tells them apart.
func (b *builder) below(d *Dir, path string) *Dir {
	if path == "" {
		return d
	}
	for _, part := range strings.Split(path, "/") {
		name := encodeDir(part, d.Suffix)
		if taken := b.subs[subdir{d, name}]; taken != nil && !b.sets[taken] {
			name += "%"
		}
		d = b.sub(d, name, d.Suffix)
		b.sets[d] = true
	}
	return d
}

func (b *builder) newFile(src source.Source, c content, counted bool) *File {
	if len(b.files) == 0 {
		b.files = make([]File, filesAtOnce)
	}
	f := &b.files[0]
	b.files = b.files[1:]
	*f = File{Ino: b.ino(), Counted: counted, Source: src, content: c}
	b.tree.Nodes = append(b.tree.Nodes, Node{File: f})
	return f
}

// filesAtOnce is how many files are allocated together.
const filesAtOnce = 64

// link gives f one more name.
func link(d *Dir, stem string, f *File) {
	f.Links++
	d.Files = append(d.Files, FileEntry{stem, f})
}

// root makes the view's files, and those that are passed through.
func (b *builder) root() error {
	taken := map[string]bool{}
	for _, set := range b.plan.Sets {
		if b.hides(set.Dir) {
			continue
		}
		dir := b.plainDir(set.Dir)
		var layouts []*safetensors.Layout
		for _, f := range set.Files {
			taken[set.Join(f.Name)] = true
			layout, err := b.viewFile(dir, set, f)
			if err != nil {
				return err
			}
			layouts = append(layouts, layout)
		}
		if set.Index != "" {
			taken[set.Join(set.Index)] = true
			index := b.newFile(set.Files[0].Source, newGenerated(indexWriter(set, layouts)), true)
			if src := set.IndexSource; src != nil && !slices.ContainsFunc(layouts, func(l *safetensors.Layout) bool { return l != nil }) {
				index.Source, index.content = src, verbatim{src}
			}
			link(dir, set.Index, index)
		}
	}
	for _, f := range b.plan.Shown.Files {
		if b.hides(f.Path) {
			continue
		}
		if taken[f.Path] {
			b.note(f.Path + " is hidden by the view of that name")
			continue
		}
		dir, name := "", f.Path
		if i := strings.LastIndexByte(f.Path, '/'); i >= 0 {
			dir, name = f.Path[:i], f.Path[i+1:]
		}
		link(b.plainDir(dir), name, b.newFile(f.Source, verbatim{f.Source}, true))
	}
	return nil
}

// viewFile makes one file of a view: the source itself, or one that is laid out.
func (b *builder) viewFile(dir *Dir, set view.Set, f view.File) (*safetensors.Layout, error) {
	if f.Verbatim {
		link(dir, f.Name, b.newFile(f.Source, verbatim{f.Source}, true))
		return nil, nil
	}
	layout, omitted, err := safetensors.NewLayout(f.Entries, f.Metadata)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Source.Path(), err)
	}
	b.meta.omitted = append(b.meta.omitted, omitted...)
	maps.Copy(b.meta.renamed, layout.Renamed())
	if note := layout.Note(); note != "" {
		b.note(set.Join(f.Name) + ": " + note)
	}
	link(dir, f.Name, b.newFile(f.Source, viewFile{layout}, true))
	return layout, nil
}

// hides reports whether something of the source would lie in a directory of wfs.
func (b *builder) hides(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	if !slices.Contains(b.reserved, top) {
		return false
	}
	b.note(top + "/ of the source is hidden by the directory of wfs of that name (--layout hf shows it)")
	return true
}

// note is a remark for the terminal, made once.
func (b *builder) note(text string) {
	if !slices.Contains(b.tree.Notes, text) {
		b.tree.Notes = append(b.tree.Notes, text)
	}
}

// plainDir makes the directories of a path of the source: its names are file
// names already.
func (b *builder) plainDir(path string) *Dir {
	d := b.tree.Root
	if path != "" {
		for _, part := range strings.Split(path, "/") {
			d = b.sub(d, part, "")
		}
	}
	return d
}

// tensors makes tensors/, tree/, raw/ and f32/.
func (b *builder) tensors(counted bool) {
	root := b.tree.Root
	flat, deep := b.sub(root, "tensors", ".npy"), b.sub(root, "tree", ".npy")
	raw := b.sub(root, "raw", ".bin")
	var wide *Dir
	for _, set := range b.plan.Shown.Sets {
		flat, deep, raw := b.below(flat, set.Place()), b.below(deep, set.Place()), b.below(raw, set.Place())
		for _, shard := range set.Shards {
			b.reserve(shard.Tensors, flat, raw)
			tied := tiedOf(shard.Tensors)
			split := splitter{builder: b, separator: shard.Separator, room: fewDirs + dirsPerTensor*len(shard.Tensors)}
			for _, t := range shard.Tensors {
				name := EncodeName(t.Key)
				one := t.Canonical()
				file := b.shared(b.npys, tied, one, shard.Source, (*npyOf)(one), counted)
				link(flat, name, file)
				dir, leaf := split.split(deep, t.Key)
				link(dir, leaf, file)
				link(raw, name, b.shared(b.raws, tied, one, shard.Source, (*rawOf)(one), false))
				if t.DType.NumPy() == "" && ops.Casts(t.DType, checkpoint.F32) {
					if wide == nil {
						wide = b.sub(root, "f32", ".npy")
					}
					link(b.below(wide, set.Place()), name, b.shared(b.wides, tied, one, shard.Source, (*float32Of)(one), false))
				}
			}
			if split.whole > 0 {
				b.note(fmt.Sprintf("%s: tree/ has the most directories that a file may have: of %d keys the rest stays one name",
					set.Join(shard.Source.Name()), split.whole))
			}
		}
	}
}

// reserve makes room for the files of tensors, two each.
func (b *builder) reserve(tensors []*checkpoint.Tensor, dirs ...*Dir) {
	b.tree.Nodes = slices.Grow(b.tree.Nodes, 2*len(tensors))
	for _, d := range dirs {
		d.Files = slices.Grow(d.Files, len(tensors))
	}
}

// tiedOf is the tensors that others are tied to.
func tiedOf(tensors []*checkpoint.Tensor) map[*checkpoint.Tensor]bool {
	tied := map[*checkpoint.Tensor]bool{}
	for _, t := range tensors {
		if t.Tied != nil {
			tied[t.Tied] = true
		}
	}
	return tied
}

// shared is the one inode of tied tensors. Only these are remembered.
func (b *builder) shared(
	of map[*checkpoint.Tensor]*File, tied map[*checkpoint.Tensor]bool, t *checkpoint.Tensor, src source.Source, c content, counted bool,
) *File {
	if len(tied) == 0 || !tied[t] {
		return b.newFile(src, c, counted)
	}
	if f := of[t]; f != nil {
		return f
	}
	f := b.newFile(src, c, counted)
	of[t] = f
	return f
}
