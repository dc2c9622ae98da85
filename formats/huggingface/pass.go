package huggingface

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// pass opens the files of a folder, and of those below it, that are passed through: all
// but those whose tensors the view has.
func (r *reader) pass(root *folder) error {
	return root.below(func(d *folder) error {
		for _, e := range d.entries {
			below := path.Join(d.path, e.Name)
			if e.Kind == source.File && pickled.MatchString(e.Name) {
				r.model.Unpickled = true
			}
			switch {
			case e.Kind == source.LinkedDir:
				r.note(printed(below, "") + " is a link to a directory: it is left out")
			case e.Kind == source.Unreadable:
				if err := r.fault(below); errors.Is(err, source.ErrDangling) {
					r.note(err.Error() + ": it is left out")
				} else {
					r.note(printed(below, "") + " cannot be read: it is left out")
				}
			case e.Kind != source.File:
			case ofKeras.MatchString(e.Name): // Keras loads nothing else
				if err := r.passFile(below); err != nil {
					return err
				}
			case slices.Contains(d.used, e.Name):
			case d.isForm(e.Name):
				r.hidden = append(r.hidden, below)
			default:
				if err := r.passFile(below); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// fault is why a file cannot be opened.
func (r *reader) fault(path string) error {
	src, err := r.dir.Open(path)
	if err == nil {
		src.Close()
	}
	return err
}

// passFile opens a file to be passed through. One that may not be read is no reason to
// refuse the rest.
func (r *reader) passFile(path string) error {
	if r.passed++; r.passed > maxFiles {
		return r.fail("it holds more than %d files", maxFiles)
	}
	src, err := r.dir.Open(path)
	switch {
	case errors.Is(err, source.ErrOutside), errors.Is(err, source.ErrDangling):
		r.note(err.Error() + ": it is left out")
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		r.note(printed(path, "") + " cannot be read: it is left out")
		return nil
	case err != nil:
		return err
	}
	r.model.Files = append(r.model.Files, checkpoint.File{Path: path, Source: src})
	return nil
}

// number is what tells the shards of one set apart.
var number = regexp.MustCompile(`-\d+-of-`)

// maxListed is how long a list of names in a message is.
const maxListed = 2000

// some is a list of names for a message. Shards are named together.
func some(names []string) string {
	many := map[string]int{}
	for _, name := range names {
		many[number.ReplaceAllString(name, "-*-of-")]++
	}
	var list []string
	length, left := 0, len(names)
	for _, name := range names {
		shards := number.ReplaceAllString(name, "-*-of-")
		n := many[shards]
		switch {
		case n == 0: // named already
			continue
		case n > 1:
			name = fmt.Sprintf("%s (%d files)", source.Printable(shards), n)
		default:
			name = source.Printable(name)
		}
		if length += len(name); length > maxListed {
			return fmt.Sprintf("%s and %d more", strings.Join(list, ", "), left)
		}
		list = append(list, name)
		many[shards] = 0
		left -= n
	}
	return strings.Join(list, ", ")
}
