package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// splitName is the name of one of several files (llama.cpp, llama_split_path).
var splitName = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})(\.[gG][gG][uU][fF])$`)

// SplitFormat is the reader of a model in several files, of which any was named.
func SplitFormat() checkpoint.DirFormat {
	return checkpoint.DirFormat{Name: "gguf splits", Detect: detectSplit, Open: openSplits}
}

func detectSplit(p checkpoint.Place) checkpoint.Match {
	if p.Name == "" || !splitName.MatchString(path.Base(p.Name)) {
		return checkpoint.No
	}
	src, err := p.Dir.Open(p.Name)
	if err != nil {
		return checkpoint.No
	}
	defer src.Close()
	head := make([]byte, len(magic))
	if n, _ := src.ReadAt(head, 0); n < len(head) {
		return checkpoint.No
	}
	return detect(head, src)
}

// split is which of how many files this is, from 0 on.
func (m metadata) split() (no, count int64, ok bool) {
	no, hasNo := m.integer("split.no")
	count, hasCount := m.integer("split.count")
	return no, count, hasNo && hasCount && count > 1
}

func splitNote(no, count int64) string {
	return fmt.Sprintf("it is file %d of the %d of a model, and has a part of its tensors", no+1, count)
}

// openSplits opens all files of a model. What each is, it says itself; the names of the others
// are made of the one that is known.
func openSplits(p checkpoint.Place, open checkpoint.OpenFile) (*checkpoint.Model, error) {
	m := &checkpoint.Model{Path: filepath.Join(p.Dir.Path(), p.Name)}
	first, err := open(p.Dir, p.Name)
	if err != nil {
		return nil, err
	}
	meta, _ := first.Objects.(metadata)
	no, count, ok := meta.split()
	if !ok {
		return checkpoint.Single(m.Path, first), nil
	}
	m.Sets = []*checkpoint.Set{{Index: "model.safetensors.index.json"}}
	s := &splits{model: m, set: m.Sets[0], total: -1, in: map[string]string{}}
	if err := s.open(p, open, first, no, count); err != nil {
		if int64(len(s.set.Shards)) <= no { // it is not among those that m closes
			first.Source.Close()
		}
		m.Close()
		return nil, err
	}
	return m, nil
}

// splits are the files of a model while they are opened.
type splits struct {
	model *checkpoint.Model
	set   *checkpoint.Set
	total int64             // tensors that the first says there are, or -1
	count int64             // that there are
	in    map[string]string // the file of each tensor
}

// open opens the others of a file, which is number no of count.
func (s *splits) open(p checkpoint.Place, open checkpoint.OpenFile, named *checkpoint.Checkpoint, no, count int64) error {
	match := splitName.FindStringSubmatch(path.Base(p.Name))
	where := source.Printable(named.Source.Path())
	if n, _ := strconv.ParseInt(match[3], 10, 64); n != count {
		return fmt.Errorf("%s: it says that it is one of %d files, and its name that of %d", where, count, n)
	}
	if n, _ := strconv.ParseInt(match[2], 10, 64); n != no+1 {
		return fmt.Errorf("%s: it says that it is file %d of %d, and its name that it is %d", where, no+1, count, n)
	}
	for i := range count {
		part := named
		if i != no {
			name := fmt.Sprintf("%s-%05d-of-%05d%s", match[1], i+1, count, match[4])
			var err error
			if part, err = open(p.Dir, path.Join(path.Dir(p.Name), name)); err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					err = fmt.Errorf("%s: %s, the file %d of the %d of the model, is missing", where, source.Printable(name), i+1, count)
				}
				return err
			}
		}
		if err := s.add(part, i, count); err != nil {
			return err
		}
	}
	if s.total >= 0 && s.total != s.count {
		return fmt.Errorf("%s: the %d files of the model have %d tensors, and say that there are %d", where, count, s.count, s.total)
	}
	return nil
}

// add takes file i of count.
func (s *splits) add(part *checkpoint.Checkpoint, i, count int64) error {
	s.set.Shards = append(s.set.Shards, checkpoint.Shard{
		Checkpoint: part, ViewName: fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, count),
	})
	where := source.Printable(part.Source.Path())
	meta, _ := part.Objects.(metadata)
	if no, of, ok := meta.split(); !ok || no != i || of != count {
		return fmt.Errorf("%s: it is not file %d of the %d of a model, as its name says", where, i+1, count)
	}
	if total, ok := meta.integer("split.tensors.count"); ok && s.total < 0 {
		s.total = total
	}
	for _, t := range part.Tensors {
		if other, twice := s.in[t.Key]; twice {
			return fmt.Errorf("%s: the tensor %.200q is in %s, too", where, t.Key, source.Printable(other))
		}
		s.in[t.Key] = part.Source.Name()
	}
	s.count += int64(len(part.Tensors) + len(part.Omitted))
	part.Notes = slices.DeleteFunc(part.Notes, func(note string) bool { return note == splitNote(i, count) })
	if i > 0 && len(meta) == 3 { // it has no more than which file it is
		part.Objects = nil
	}
	s.model.Files = append(s.model.Files, part.Files...)
	return nil
}
