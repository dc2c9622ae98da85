package huggingface

import (
	"path"
	"slices"

	"wfs/formats/source"
)

// Bounds of a directory. A descriptor is held open for each file of it that is shown.
const (
	maxEntries = 200_000
	maxFiles   = 20_000
	maxDepth   = 16
)

// skipped are directories that are no part of a model.
var skipped = []string{".git", ".cache", ".locks", "__pycache__"}

// folder is a directory as it was listed, and what was chosen in it.
type folder struct {
	path    string // below the root, "" for the root
	parent  *folder
	entries []source.Entry
	subs    []*folder
	// names are the entries that a weight file could be: all but directories, and those
	// that cannot be opened anyway.
	names []string
	// repository says that it is one of the Hub's cache, which is not looked into.
	repository bool

	sets []found
	// used are the files that the sets are made of.
	used []string
}

// list lists a directory and those below it.
func (r *reader) list(parent *folder, rel string, depth int) (*folder, error) {
	if depth > maxDepth {
		return nil, r.fail("%s: directories are nested more than %d deep", printed(rel, ""), maxDepth)
	}
	entries, err := r.dir.List(rel)
	if err != nil && parent != nil {
		r.note(printed(rel, "") + " cannot be read: it is left out")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.listed += len(entries); r.listed > maxEntries {
		return nil, r.fail("it has more than %d entries: mount a directory below it", maxEntries)
	}
	d := &folder{path: rel, parent: parent, entries: entries, repository: parent != nil && isRepository(entries)}
	for _, e := range entries {
		switch {
		case e.Kind == source.Directory:
			if d.repository || slices.Contains(skipped, e.Name) {
				continue
			}
			sub, err := r.list(d, path.Join(rel, e.Name), depth+1)
			if err != nil {
				return nil, err
			}
			if sub != nil {
				d.subs = append(d.subs, sub)
			}
		case e.Kind == source.File, e.Kind == source.Special:
			d.names = append(d.names, e.Name)
		}
	}
	return d, nil
}

// below calls each for a folder and all below it, from the root down, in order.
func (d *folder) below(each func(*folder) error) error {
	if err := each(d); err != nil {
		return err
	}
	for _, sub := range d.subs {
		if err := sub.below(each); err != nil {
			return err
		}
	}
	return nil
}
