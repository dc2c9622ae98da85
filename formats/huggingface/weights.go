package huggingface

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

const indexSuffix = ".index.json"

// maxIndex bounds an index file: 100 000 tensors with long names take 20 MB.
const maxIndex = 64 << 20

// weights finds the weights among the names of a directory. transformers prefers
// safetensors to .bin, and a whole file to an index (modeling_utils.py,
// _get_resolved_checkpoint_files). used are the names that the view replaces.
func (r *reader) weights(rel string, names []string) (set *checkpoint.Set, used []string, err error) {
	has := func(name string) bool { return slices.Contains(names, name) }
	for _, s := range stems {
		for _, name := range []string{s.safe, s.other} {
			switch {
			case has(name):
				set, err := r.single(rel, name, s.safe)
				return set, []string{name}, err
			case has(name + indexSuffix):
				return r.sharded(rel, name+indexSuffix, s)
			}
		}
	}
	for _, name := range names {
		// Keras weights of a Hugging Face directory.
		if name == "tf_model.h5" {
			set, err := r.single(rel, name, stems[0].safe)
			return set, []string{name}, err
		}
	}
	return nil, nil, nil
}

func (r *reader) shard(rel, name string) (*checkpoint.Checkpoint, error) {
	full, err := r.inside(filepath.ToSlash(filepath.Join(rel, name)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.base, err)
	}
	return r.open(full)
}

func (r *reader) single(rel, name, view string) (*checkpoint.Set, error) {
	c, err := r.shard(rel, name)
	if err != nil {
		return nil, err
	}
	return &checkpoint.Set{Dir: filepath.ToSlash(rel), Shards: []checkpoint.Shard{{Checkpoint: c, ViewName: view}}}, nil
}

// sharded reads an index file and every shard that it names. The names stay in
// the directory of the index, whatever they say.
func (r *reader) sharded(rel, index string, s stem) (*checkpoint.Set, []string, error) {
	path := filepath.Join(r.base, rel, index)
	files, err := readIndex(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	used := []string{index}
	set := &checkpoint.Set{Dir: filepath.ToSlash(rel), Index: s.safe + indexSuffix}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
			closeSet(set)
			return nil, nil, fmt.Errorf("%s: it names %q, which is no file of its directory", path, name)
		}
		c, err := r.shard(rel, name)
		if err != nil {
			closeSet(set)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil, fmt.Errorf("%s: it names %s, which is missing", path, name)
			}
			return nil, nil, err
		}
		set.Shards = append(set.Shards, checkpoint.Shard{Checkpoint: c, ViewName: viewName(name, s)})
		used = append(used, name)
		have := map[string]bool{}
		for _, v := range c.View() {
			have[v.Key] = true
		}
		for _, key := range files[name] {
			if !have[key] {
				closeSet(set)
				return nil, nil, fmt.Errorf("%s: it places tensor %q in %s, which does not have it", path, key, name)
			}
		}
	}
	if len(set.Shards) == 0 {
		return nil, nil, fmt.Errorf("%s: it names no shards", path)
	}
	if index == set.Index {
		if set.IndexSource, err = source.Open(path); err != nil {
			closeSet(set)
			return nil, nil, err
		}
	}
	return set, used, nil
}

func closeSet(set *checkpoint.Set) {
	for _, s := range set.Shards {
		s.Source.Close()
	}
}

// viewName is the name of a shard's view: pytorch_model-00001-of-00003.bin becomes
// model-00001-of-00003.safetensors.
func viewName(name string, s stem) string {
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	other, safe := strings.TrimSuffix(s.other, ".bin"), strings.TrimSuffix(s.safe, ".safetensors")
	if rest, ok := strings.CutPrefix(base, other); ok {
		base = safe + rest
	}
	if !strings.HasPrefix(base, safe) { // clients glob for model*.safetensors
		base = safe + "-" + base
	}
	return base + ".safetensors"
}

// readIndex reads weight_map: the keys that each file holds.
func readIndex(path string) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxIndex {
		return nil, fmt.Errorf("the index is larger than %d bytes", maxIndex)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("the index is no JSON of an index: %v", err)
	}
	files := map[string][]string{}
	for key, name := range index.WeightMap {
		files[name] = append(files[name], key)
	}
	for _, keys := range files {
		sort.Strings(keys)
	}
	return files, nil
}
