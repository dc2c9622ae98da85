package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/source"
)

// DetectIndex says whether the file is the .weights.json of sharded weights.
func DetectIndex(prefix []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(prefix, " \n\r\t"), []byte("{")) && bytes.Contains(prefix, []byte(`"weight_map"`)) &&
		bytes.Contains(prefix, []byte(".weights.h5"))
}

// OpenIndex reads the shards that a .weights.json names: {"weight_map": {"/layers/dense/vars":
// ["shd_00000.weights.h5"]}}, where a value may be one name or several
// (keras/src/saving/saving_lib.py, ShardedH5IOStore). The shards lie beside the index.
func OpenIndex(src *source.Source, open func(path string) (*checkpoint.Checkpoint, error)) (*checkpoint.Model, error) {
	names, err := shardNames(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Path, err)
	}
	set := &checkpoint.Set{Index: "model.safetensors.index.json"}
	m := &checkpoint.Model{Path: src.Path, Sets: []*checkpoint.Set{set}}
	for i, name := range names {
		c, err := open(filepath.Join(filepath.Dir(src.Path), name))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: it names %s, which is missing", src.Path, name)
		}
		if err != nil {
			m.Close()
			return nil, err
		}
		view := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(names))
		set.Shards = append(set.Shards, checkpoint.Shard{Checkpoint: c, ViewName: view})
	}
	return m, nil
}

// shardNames are the files of an index, sorted. None leaves its directory.
func shardNames(src *source.Source) ([]string, error) {
	if src.Size() > maxConfig {
		return nil, fmt.Errorf("the index is larger than %d bytes", maxConfig)
	}
	b := make([]byte, src.Size())
	if n, err := src.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	var index struct {
		WeightMap map[string]any `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("the index is no JSON: %v", err)
	}
	var names []string
	for path, value := range index.WeightMap {
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, v := range list {
			name, ok := v.(string)
			if !ok || name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
				return nil, fmt.Errorf("it places %q in %v, which is no file of its directory", path, v)
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return nil, errors.New("it names no shards")
	}
	return names, nil
}
