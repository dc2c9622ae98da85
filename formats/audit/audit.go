// Package audit says what loading a file would do: it finds every pickle in every
// container, by its bytes and not by its name, and judges what each would import and call;
// and it finds what a Keras configuration would run. It is the only door to verdicts: wfs
// scan, meta/pickle.* and --refuse-unsafe have the same report.
//
// How a byte travels: File asks container.go what the file is (a zip, a tar, a legacy
// torch file, a pickle, none of them). Each record that could be a pickle goes to
// inspect.go, which has package pickle load it as data and verdict.go judge every global;
// what a pickle holds as bytes goes the same way again. Nothing is ever executed.
package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/keras"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// File reports on a file under its path. A file in which no pickle is found is reported
// as such; an error names the file.
func File(src source.Source) (*Report, error) { return file(src, src.Path()) }

func file(src source.Source, name string) (*Report, error) {
	report, err := scan(src, name)
	// A file of Keras is searched for pickles too: one may be its user block.
	if format := keras.Format(nil, nil); err == nil && format.Detect(headOf(src), src) != checkpoint.No {
		found, other := keras.Findings(src)
		switch {
		case other == nil:
			report.add(found)
		case report.Verdict == Allowed:
			err = other
		default:
			report.Container = append(report.Container, other.Error())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Path(), err)
	}
	report.Path = src.Path()
	return report, nil
}

// scan reports on the pickles in a file: all records of a zip that begin like one,
// whatever their names, all streams of a legacy file, the members of a tar, and what is
// nested in their bytes. name stands at its head.
func scan(file segment.Data, name string) (*Report, error) {
	s := &scanner{inflated: deflate.NewCache()}
	s.in.archive = s.nested
	s.in.options = pickle.OptionsFor(file.Size())
	err := s.file(file, "", 0)
	if s.in.unlisted > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%d more pickles are not listed: their verdict counts", s.in.unlisted))
	}
	return &Report{
		File: name, Pickles: append([]Stream{}, s.in.streams...), Container: s.notes, Verdict: max(s.verdict, s.in.verdict),
	}, err
}

// Dir reports on every file below a directory, in its order. One that cannot be read is
// an error, and does not hide the others.
func Dir(dir source.Dir) iter.Seq2[*Report, error] {
	return func(yield func(*Report, error) bool) {
		walk(dir, "", func(rel string, err error) bool {
			if err != nil {
				return yield(nil, err)
			}
			return yield(at(dir, rel, path.Join(dir.Path(), rel)))
		})
	}
}

// Model reports on all that a model was opened from: on every file of its directory, shown
// or hidden, or on its one file. The reports are named as the files are below the root.
// What cannot be opened is not in a mount either, and is passed over.
func Model(m *checkpoint.Model) iter.Seq2[*Report, error] {
	return func(yield func(*Report, error) bool) {
		if m.Dir != nil {
			walk(m.Dir, "", func(rel string, err error) bool {
				if err != nil {
					return true
				}
				report, err := at(m.Dir, rel, rel)
				if errors.Is(err, source.ErrOutside) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
					return true
				}
				return yield(report, err)
			})
			return
		}
		for set, s := range m.Shards() {
			if !yield(file(s.Source, set.Join(s.Source.Name()))) {
				return
			}
		}
	}
}

// at reports on one file of a directory.
func at(dir source.Dir, rel, name string) (*Report, error) {
	src, err := dir.Open(rel)
	if errors.Is(err, source.ErrOutside) {
		err = fmt.Errorf("%s: %w: it is not looked into", dir.Path(), err)
	}
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return file(src, name)
}

// walk calls each for every file below rel, and for every directory that cannot be listed,
// until it returns false.
func walk(dir source.Dir, rel string, each func(rel string, err error) bool) bool {
	entries, err := dir.List(rel)
	if err != nil {
		return each(rel, err)
	}
	for _, e := range entries {
		below := path.Join(rel, e.Name)
		switch e.Kind {
		case source.Directory:
			if !walk(dir, below, each) {
				return false
			}
		case source.File, source.Unreadable:
			if !each(below, nil) {
				return false
			}
		}
	}
	return true
}
