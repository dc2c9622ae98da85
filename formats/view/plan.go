package view

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// Plan is the files of a view.
type Plan struct {
	// Model is the source as it was opened.
	Model *checkpoint.Model
	// Shown is the model whose tensors are shown: Model itself, or what rules make of it.
	Shown *checkpoint.Model
	Sets  []Set
	// Lacks is one line on what the sources hold and the views do not, "" for nothing.
	Lacks string

	// Gone is the tensors that rules leave out, and Casts those that they cast:
	// where Rules.Explain is set.
	Gone  []Gone
	Casts []Casting

	notes  []string            // on what rules did
	others []*checkpoint.Model // what rules opened besides
}

// note adds a remark on what rules did.
func (p *Plan) note(line string) { p.notes = append(p.notes, line) }

// Opened is every model that was opened for the plan: Model, then those that rules name.
func (p *Plan) Opened() []*checkpoint.Model {
	return append([]*checkpoint.Model{p.Model}, p.others...)
}

// Close closes everything that was opened for the plan.
func (p *Plan) Close() error {
	var errs []error
	for _, m := range p.Opened() {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// Verify reports source.ErrStale when the bytes of a weight file may be others than when it
// was opened.
func (p *Plan) Verify() error {
	for _, m := range p.Opened() {
		if err := m.Verify(); err != nil {
			return err
		}
	}
	return nil
}

// MayUnpickle reports whether the library of one of the files makes objects when it loads it.
func (p *Plan) MayUnpickle() bool {
	return slices.ContainsFunc(p.Opened(), (*checkpoint.Model).MayUnpickle)
}

// Set is the view of a weight set.
type Set struct {
	*checkpoint.Set
	// Shards are the weight files of the source, in their order there.
	Shards []Shard
	// Files are the view's, which need not be as many.
	Files []File
}

// Shard is a weight file, and what of it the view takes.
type Shard struct {
	checkpoint.Shard
	// Root is the key of the state dict that is taken, "" for everything.
	Root string
	// Notes are remarks on the file and on the choice, one line each.
	Notes []string
}

// File is one file of a view.
type File struct {
	// Name is in the directory of the set.
	Name string
	// Entries are its tensors, in the order of the source.
	Entries []checkpoint.Entry
	// Source is where its tensors come from.
	Source source.Source
	// Metadata is the __metadata__ of the file.
	Metadata map[string]string
	// Verbatim reports whether the file may be the source, byte for byte.
	Verbatim bool
}

// New plans the view of a model. Rules that fit nothing in it are an error, which names
// the model.
func New(m *checkpoint.Model, rules Rules) (*Plan, error) {
	p := &Plan{Model: m, Shown: m}
	for _, set := range m.Sets {
		planned := Set{Set: set}
		for _, s := range set.Shards {
			root, note := chooseRoot(s.Checkpoint, rules.root())
			shard := Shard{Shard: s, Root: root, Notes: slices.Clone(s.Notes)}
			if note != "" {
				shard.Notes = append(shard.Notes, note)
			}
			planned.Shards = append(planned.Shards, shard)
			planned.Files = append(planned.Files, fileOf(shard))
		}
		p.Sets = append(p.Sets, planned)
	}
	if root := rules.root(); root != "" && root != "." && !p.takesAny() {
		return nil, fmt.Errorf("%s: no tensor lies below %q: choose one of %s", m.Path, root, tops(m))
	}
	if rules.Explain {
		p.beyond()
	}
	if rules.derives() {
		if err := p.derive(rules); err != nil {
			for _, other := range p.others {
				other.Close()
			}
			return nil, err
		}
	}
	p.Lacks = p.lacks()
	return p, nil
}

// fileOf is the view of one weight file by itself.
func fileOf(s Shard) File {
	f := File{Name: s.ViewName, Entries: s.Below(s.Root), Source: s.Source, Metadata: map[string]string{}}
	maps.Copy(f.Metadata, s.Metadata)
	f.Metadata["format"] = s.Framework
	f.Verbatim = s.Verbatim && s.Root == "" && len(f.Entries) == len(s.Tensors)
	return f
}

// takesAny reports whether a view has a tensor: of shards some may have none.
func (p *Plan) takesAny() bool {
	return slices.ContainsFunc(p.Sets, func(s Set) bool {
		return slices.ContainsFunc(s.Files, func(f File) bool { return len(f.Entries) > 0 })
	})
}

// Notes are the remarks on the directory and on all files, each once, and on what the view
// lacks.
func (p *Plan) Notes() []string {
	notes := slices.Clone(p.Model.Notes)
	for _, set := range p.Sets {
		for _, s := range set.Shards {
			for _, n := range s.Notes {
				if n = s.Source.Name() + ": " + n; !slices.Contains(notes, n) {
					notes = append(notes, n)
				}
			}
		}
	}
	notes = append(notes, p.notes...)
	if p.Lacks != "" {
		line := p.Lacks
		if m := p.Model; len(m.Sets) == 1 && len(m.Sets[0].Shards) == 1 {
			line = m.Sets[0].Shards[0].Source.Name() + ": " + line
		}
		notes = append(notes, line)
	}
	return notes
}
