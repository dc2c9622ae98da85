package huggingface

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
)

// exportEndings are the endings of what a model is converted to, and which is shown where
// nothing else is there.
var exportEndings = []string{".gguf", ".npz"}

// companion is a file of llama.cpp that belongs to a model and is none: its projector, and
// what it was quantized by.
var companion = regexp.MustCompile(`(?i)(^|[-_.])(mmproj|imatrix)([-_.]|$)`)

// exported finds the one model of a tree that has no weights but converted ones. Of several
// it says that one has to be named.
func (r *reader) exported(root *folder) (ok bool, err error) {
	if len(root.models()) > 0 || strings.HasPrefix(root.describe(), "it is") {
		return false, nil
	}
	for _, ending := range exportEndings {
		type model struct {
			in   *folder
			name string // its first file
		}
		var models, companions []model
		root.below(func(d *folder) error {
			seen := map[string]bool{}
			for _, name := range d.names {
				if d.repository || !strings.EqualFold(path.Ext(name), ending) || state.MatchString(name) || words.MatchString(name) {
					continue
				}
				stem := strings.TrimSuffix(name, path.Ext(name))
				if at := shardOf.FindStringIndex(name); at != nil {
					stem = name[:at[0]]
				}
				switch {
				case seen[stem]: // one more part
				case companion.MatchString(stem):
					companions = append(companions, model{d, name})
				default:
					models = append(models, model{d, name})
				}
				seen[stem] = true
			}
			return nil
		})
		if len(models) == 0 {
			models = companions
		}
		switch len(models) {
		case 0:
			continue
		case 1:
			m := models[0]
			stem := strings.TrimSuffix(m.name, path.Ext(m.name))
			m.in.sets = []found{{name: m.name, family: familyOf(stem)}}
			return true, nil
		}
		var paths []string
		for _, m := range models {
			paths = append(paths, path.Join(m.in.path, m.name))
		}
		slices.SortFunc(paths, cmp.Compare[string])
		return false, r.fail("%w", &checkpoint.Several{Models: paths, Some: some(paths)})
	}
	return r.ofArrays(root), nil
}

// arrayEnding is that of the files of NumPy which together are a model, where nothing else is
// there.
const arrayEnding = ".npy"

// ofArrays reports whether a directory is one of arrays.
func (r *reader) ofArrays(root *folder) bool {
	if r.joins.Arrays == nil || len(root.arrays()) == 0 {
		return false
	}
	root.sets = []found{{kind: arrays, family: families[0]}}
	return true
}

// arrays are the paths of the arrays in a folder and below it.
func (d *folder) arrays() (paths []string) {
	d.below(func(d *folder) error {
		for _, name := range d.names {
			if !d.repository && path.Ext(name) == arrayEnding {
				paths = append(paths, path.Join(d.path, name))
			}
		}
		return nil
	})
	return paths
}

// arrays opens all arrays of a directory as one checkpoint.
func (r *reader) arrays(root *folder, f found) (*checkpoint.Set, error) {
	c, err := r.joins.Arrays(r.dir, root.arrays())
	if err != nil {
		return nil, r.at(err)
	}
	root.below(func(d *folder) error {
		d.used = append(d.used, slices.DeleteFunc(slices.Clone(d.names), func(name string) bool { return path.Ext(name) != arrayEnding })...)
		return nil
	})
	return &checkpoint.Set{Shards: []checkpoint.Shard{{Checkpoint: c, ViewName: f.family.safe}}}, nil
}

// parts opens a file that is one of several, with the others, and returns their names. The
// set is nil for any other file.
func (r *reader) parts(rel string, f found) (set *checkpoint.Set, used []string, err error) {
	place := checkpoint.Place{Dir: r.dir, Name: path.Join(rel, f.name)}
	if r.joins.Splits.Detect == nil || r.joins.Splits.Detect(place) == checkpoint.No {
		return nil, nil, nil
	}
	m, err := r.joins.Splits.Open(place, r.open)
	if err != nil {
		return nil, nil, r.at(err)
	}
	set = m.Sets[0]
	set.Dir = rel
	if len(set.Shards) == 1 { // it only has the name of one of several
		set.Shards[0].ViewName = f.family.safe
	}
	for _, s := range set.Shards {
		used = append(used, s.Source.Name())
	}
	return set, used, nil
}
