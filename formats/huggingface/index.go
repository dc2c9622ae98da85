package huggingface

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// Bounds of an index: 200 000 tensors with long names take 40 MB.
const (
	maxIndex   = 64 << 20
	maxEntries = 1 << 20
	maxNesting = 100
)

// sharded reads an index file and every shard that it names. The names stay in
// the directory of the index, whatever they say.
func (r *reader) sharded(rel string, f found) (*checkpoint.Set, []string, error) {
	src, err := r.dir.Open(path.Join(rel, f.name))
	if errors.Is(err, source.ErrOutside) {
		err = fmt.Errorf("%s: %w", r.model.Path, err)
	}
	if err != nil {
		return nil, nil, err
	}
	set := &checkpoint.Set{Dir: rel, Index: f.stem.safe + indexSuffix}
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
	places, err := readIndex(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Path(), err)
	}
	names := slices.Compact(slices.Sorted(maps.Values(places)))
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: it names no shards", src.Path())
	}
	views := map[string]string{}
	for _, name := range names {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
			return nil, fmt.Errorf("%s: it names %q, which is not a file of its directory", src.Path(), name)
		}
		view := viewName(name, f.stem)
		if other, taken := views[view]; taken {
			return nil, fmt.Errorf("%s: it names %s and %s, which would both be shown as %s", src.Path(), other, name, view)
		}
		views[view] = name
		c, err := r.shard(rel, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: it names %s, which is missing", src.Path(), name)
		}
		if err != nil {
			return nil, err
		}
		set.Shards = append(set.Shards, checkpoint.Shard{Checkpoint: c, ViewName: view})
	}
	if err := r.place(set, names, places); err != nil {
		return nil, fmt.Errorf("%s: %w", src.Path(), err)
	}
	return names, nil
}

// place checks that each tensor is where the index has it, and leaves it there alone:
// of a tensor that further shards hold too, loaders would take one or the other.
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
				return fmt.Errorf("tensor %q is in %s and in %s, and it places it in neither", t.Key, other, names[i])
			}
			at[t.Key] = names[i]
		}
		if copies := len(s.Tensors) - len(kept.Tensors); copies > 0 {
			set.Shards[i].Checkpoint = kept
			r.note(fmt.Sprintf("%s: %d of its tensors are left out: the index has them in another shard", s.Source.Name(), copies))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(places)) {
		if !listed[key] {
			return fmt.Errorf("it places tensor %q in %s, which does not have it", key, places[key])
		}
	}
	return nil
}

func closeSet(set *checkpoint.Set) {
	for _, s := range set.Shards {
		s.Source.Close()
	}
}

// readIndex reads weight_map: the file of each key.
func readIndex(src source.Source) (map[string]string, error) {
	if src.Size() > maxIndex {
		return nil, fmt.Errorf("the index is larger than %d bytes", maxIndex)
	}
	d := &indexReader{json.NewDecoder(io.NewSectionReader(src, 0, src.Size()))}
	var places map[string]string
	err := d.object(func(key string) (err error) {
		if key != "weight_map" {
			return d.skip()
		}
		if places != nil {
			return errors.New("it has two of weight_map")
		}
		places, err = d.places()
		return err
	})
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return places, nil
		}
		err = errors.New("something follows it")
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("the index is not the JSON of an index: %w", err)
}

// indexReader reads JSON token by token: what the index holds beside weight_map is
// not kept.
type indexReader struct{ *json.Decoder }

// object calls field for each key, with the decoder before the value.
func (d *indexReader) object(field func(key string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return or(err, "an object is missing")
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return or(err, "a key is no string")
		}
		if err := field(key); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (d *indexReader) places() (map[string]string, error) {
	places := map[string]string{}
	files := map[string]string{} // each name once in memory
	return places, d.object(func(key string) error {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return or(err, "weight_map holds something else than names of files")
		}
		if files[name] == "" {
			files[name] = name
		}
		if other, twice := places[key]; twice && other != name {
			return fmt.Errorf("it places tensor %q in %s and in %s", key, other, name)
		}
		if places[key] = files[name]; len(places) > maxEntries {
			return fmt.Errorf("it has more than %d tensors", maxEntries)
		}
		return nil
	})
}

// skip passes over a value.
func (d *indexReader) skip() error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxNesting {
				return errors.New("it is nested too deep")
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// or is err, or the text where there is none.
func or(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
