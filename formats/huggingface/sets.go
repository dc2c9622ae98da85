package huggingface

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// openSets opens the weights of a folder and of those below it. The first of each folder
// must be read. One more that cannot be is passed through as it is.
func (r *reader) openSets(root *folder) error {
	return root.below(func(d *folder) error {
		kept := d.sets[:0]
		for i, f := range d.sets {
			name := ""
			if i > 0 {
				name = strings.TrimSuffix(f.family.safe, ".safetensors")
				if slices.ContainsFunc(d.entries, func(e source.Entry) bool { return e.Name == name }) {
					continue // tensors/ has one directory of a name
				}
			}
			set, used, err := r.openSet(d, f)
			if err != nil && i > 0 {
				r.note(fmt.Sprintf("%s is passed through as it is, for it cannot be read as weights: %.500s", printed(d.path, f.name), err))
				continue
			}
			if err != nil {
				return err
			}
			set.Name = name
			r.passMembers(d, set)
			r.model.Sets = append(r.model.Sets, set)
			d.used = append(d.used, used...)
			kept = append(kept, f)
		}
		d.sets = kept
		return nil
	})
}

// passMembers passes through what a weight file has beside its weights (config.json of a
// .keras), where the folder has nothing of that name. Of shards the first may have some.
func (r *reader) passMembers(d *folder, set *checkpoint.Set) {
	for i, s := range set.Shards {
		for _, member := range s.Files {
			top, _, _ := strings.Cut(member.Path, "/")
			if i > 0 || slices.ContainsFunc(d.entries, func(e source.Entry) bool { return e.Name == top }) {
				continue
			}
			member.Path = path.Join(d.path, member.Path)
			r.model.Files = append(r.model.Files, member)
		}
	}
}

// openSet opens the weights f of a folder. used are the names that the view replaces.
func (r *reader) openSet(d *folder, f found) (set *checkpoint.Set, used []string, err error) {
	rel := d.path
	switch f.kind {
	case arrays:
		set, err = r.arrays(d, f)
	case whole:
		if set, used, err = r.parts(rel, f); set == nil && err == nil {
			set, err = r.single(rel, f)
			used = []string{f.name}
		}
	default:
		set, used, err = r.sharded(rel, f)
	}
	if err == nil && f.variant != "" {
		shown := set.Index
		if shown == "" {
			shown = set.Shards[0].ViewName
		}
		r.note(fmt.Sprintf("%s, the variant %s, is shown as %s", printed(rel, f.name), f.variant, shown))
	}
	return set, used, err
}

// at names the directory in the error of a file that a link in it names.
func (r *reader) at(err error) error {
	switch {
	case errors.Is(err, source.ErrOutside):
		return r.fail("%w: mount that by itself, or put a copy in its place", err)
	case errors.Is(err, source.ErrDangling):
		return r.fail("%w", err)
	}
	return err
}

func (r *reader) shard(rel, name string) (*checkpoint.Checkpoint, error) {
	c, err := r.open(r.dir, path.Join(rel, name))
	return c, r.at(err)
}

func (r *reader) single(rel string, f found) (*checkpoint.Set, error) {
	c, err := r.shard(rel, f.name)
	if err != nil {
		return nil, err
	}
	return &checkpoint.Set{Dir: rel, Shards: []checkpoint.Shard{{Checkpoint: c, ViewName: f.family.safe}}}, nil
}

// sharded reads an index file and every shard that it names. The names stay in
// the directory of the index, whatever they say.
func (r *reader) sharded(rel string, f found) (*checkpoint.Set, []string, error) {
	src, err := r.dir.Open(path.Join(rel, f.name))
	if err != nil {
		return nil, nil, r.at(err)
	}
	set := &checkpoint.Set{Dir: rel, Index: f.family.safe + indexSuffix}
	names, err := r.shards(set, rel, f, src)
	if err != nil {
		closeSet(set)
		src.Close()
		return nil, nil, err
	}
	// Where the view's shards have the source's names the index is right as it is.
	if slices.ContainsFunc(set.Shards, func(s checkpoint.Shard) bool { return s.ViewName != s.Source.Name() }) {
		src.Close()
	} else {
		set.IndexSource = src
	}
	return set, append(names, f.name), nil
}

// shards opens the files of an index and returns their names.
func (r *reader) shards(set *checkpoint.Set, rel string, f found, src source.Source) ([]string, error) {
	where := source.Printable(src.Path())
	names, places, err := readShards(src, f.kind)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: it names no shards", where)
	}
	views := map[string]string{}
	set.Shards = make([]checkpoint.Shard, len(names))
	for i, name := range names {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
			return nil, fmt.Errorf("%s: it names %.200q, which is not a file of its directory", where, name)
		}
		view := f.family.viewName(name)
		if f.kind == kerasIndex {
			view = fmt.Sprintf("%s-%05d-of-%05d.safetensors", strings.TrimSuffix(f.family.safe, ".safetensors"), i+1, len(names))
		}
		if other, taken := views[view]; taken {
			return nil, fmt.Errorf("%s: it names %s and %s, which would both be shown as %s", where, source.Printable(other), source.Printable(name), source.Printable(view))
		}
		views[view] = name
		set.Shards[i].ViewName = view
	}
	if failed, err := r.openShards(set, rel, names); err != nil {
		if errors.Is(err, source.ErrDangling) {
			err = fmt.Errorf("%s: it names %s, which %w", where, source.Printable(names[failed]), source.ErrDangling)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: it names %s, which is missing", where, source.Printable(names[failed]))
		}
		return nil, err
	}
	if err := r.place(set, names, places); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return names, nil
}

// maxOpening bounds the shards that are opened at once: their headers come from a disk, or
// from far away, and what is decoded of them takes memory.
const maxOpening = 4

// openShards opens the files of a set, several at once, and returns the first error in the
// order of the shards. Those after it need not be opened; none before it is left out.
func (r *reader) openShards(set *checkpoint.Set, rel string, names []string) (failed int, err error) {
	var next, worst atomic.Int64
	worst.Store(int64(len(names)))
	errs := make([]error, len(names))
	var done sync.WaitGroup
	for range min(maxOpening, len(names)) {
		done.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= worst.Load() {
					return
				}
				set.Shards[i].Checkpoint, errs[i] = r.shard(rel, names[i])
				for errs[i] != nil {
					if first := worst.Load(); i >= first || worst.CompareAndSwap(first, i) {
						break
					}
				}
			}
		})
	}
	done.Wait()
	if i := int(worst.Load()); i < len(names) {
		return i, errs[i]
	}
	return 0, nil
}

// place checks that each tensor is where the index has it, and leaves it there alone:
// of a tensor that further shards hold too, loaders would take one or the other. Keras's
// index has places of layers and not of tensors: places is nil.
func (r *reader) place(set *checkpoint.Set, names []string, places map[string]string) error {
	at := map[string]string{} // the shard of each tensor
	listed := map[string]bool{}
	for i, s := range set.Shards {
		for _, root := range s.Candidates { // the index of nested state dicts has the keys below
			for _, e := range s.Below(root.Key) {
				listed[e.Key] = listed[e.Key] || places[e.Key] == names[i]
			}
		}
		kept := s.Keep(func(t *checkpoint.Tensor) bool {
			where, ok := places[t.Key]
			listed[t.Key] = listed[t.Key] || where == names[i]
			return !ok || where == names[i]
		})
		for _, t := range kept.Tensors {
			if other, twice := at[t.Key]; twice {
				return fmt.Errorf("tensor %.200q is in %s and in %s, and it places it in neither", t.Key, other, names[i])
			}
			at[t.Key] = names[i]
		}
		if copies := len(s.Tensors) - len(kept.Tensors); copies > 0 {
			set.Shards[i].Checkpoint = kept
			r.note(fmt.Sprintf("%s: %d of its tensors are left out: the index has them in another shard", s.Source.Name(), copies))
		}
	}
	for key, where := range places {
		// TensorFlow's shards have the names of variables without the model's, as
		// transformers wrote them (modeling_tf_utils.py, save_pretrained).
		_, below, _ := strings.Cut(key, "/")
		listed[key] = listed[key] || strings.HasSuffix(where, ".h5") && at[below] == where
	}
	return missing(places, listed)
}

// missing is an error for the first tensor that is not where the index has it.
func missing(places map[string]string, listed map[string]bool) error {
	first := ""
	for key := range places {
		if !listed[key] && (first == "" || key < first) {
			first = key
		}
	}
	if _, ok := places[first]; !ok || listed[first] {
		return nil
	}
	return fmt.Errorf("it places tensor %.200q in %s, which does not have it", first, source.Printable(places[first]))
}

func closeSet(set *checkpoint.Set) {
	for _, s := range set.Shards {
		if s.Checkpoint != nil {
			s.Source.Close()
		}
	}
}
