// Package audit says what loading a file would do: it finds every pickle in every
// container, by its bytes and not by its name, and judges what each would import and call;
// and it finds what a Keras configuration would run. It is the only door to verdicts: wfs
// scan, meta/pickle.* and --refuse-unsafe have the same report.
//
// How a byte travels: File has scanner.go look at the bytes: are they a zip (zip.go), a tar
// (tar.go), a legacy file of torch, an array of NumPy, a compressed stream (compressed.go),
// HDF5 or a configuration of Keras (keras.go), or anything that Python could unpickle? Each member, and what a stream inflates to, is
// looked at in the same way. Pickles, one or several in a row, go to sequence.go; inspect.go
// has package pickle load each as data, and joblib.go as joblib does; verdict.go judges
// every global by its name, and calls.go some by what they are given. The bytes and texts
// in a pickle are looked at in their turn. Nothing is ever executed.
//
// What is not understood is unknown, never silent; budget.go bounds the work and the report.
package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// File reports on a file under its path. A file in which no pickle is found is reported
// as such; an error names the file.
func File(src source.Source) (*Report, error) { return file(src, src.Path()) }

func file(src source.Source, name string) (*Report, error) {
	s := newScanner(src.Size())
	err := s.look(src, "", 0, asFile)
	if err != nil && s.verdict == Dangerous { // what was found by then counts
		s.note("%v", err)
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Path(), err)
	}
	report := s.report(name)
	report.Path = src.Path()
	return report, nil
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

// Collect is the reports of all models, without those of a directory's files that hold
// nothing to unpickle.
func Collect(models []*checkpoint.Model) ([]*Report, error) {
	var all []*Report
	for _, m := range models {
		for r, err := range Model(m) {
			if err != nil {
				return nil, err
			}
			if m.Dir == nil || !r.Empty() {
				all = append(all, r)
			}
		}
	}
	return all, nil
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

// walk calls each for every file below rel, and with an error for what is not walked:
// directories that cannot be listed, or that a link leads to, and devices, sockets, pipes.
// It ends when each returns false.
func walk(dir source.Dir, rel string, each func(rel string, err error) bool) bool {
	entries, err := dir.List(rel)
	if err != nil {
		return each(rel, err)
	}
	for _, e := range entries {
		below := path.Join(rel, e.Name)
		var err error
		switch e.Kind {
		case source.Directory:
			if !walk(dir, below, each) {
				return false
			}
		case source.LinkedDir:
			err = errors.New("is a link to a directory")
		case source.Special:
			err = errors.New("is not a regular file")
		default:
			if !each(below, nil) {
				return false
			}
		}
		if err != nil && !each(below, fmt.Errorf("%s: %s %w: it is not looked into", dir.Path(), source.Printable(below), err)) {
			return false
		}
	}
	return true
}
