package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// IndexFormat is the reader of sharded weights, of which the index is named.
func IndexFormat() checkpoint.DirFormat {
	return checkpoint.DirFormat{Name: "keras shards", Detect: detectIndex, Open: openIndex}
}

// detectIndex looks for the .weights.json of sharded weights.
func detectIndex(p checkpoint.Place) checkpoint.Match {
	if p.Name == "" {
		return checkpoint.No
	}
	src, err := p.Dir.Open(p.Name)
	if err != nil {
		return checkpoint.No
	}
	defer src.Close()
	prefix := make([]byte, min(4096, src.Size()))
	n, _ := src.ReadAt(prefix, 0)
	prefix = bytes.TrimLeft(prefix[:n], " \n\r\t")
	if bytes.HasPrefix(prefix, []byte("{")) && bytes.Contains(prefix, []byte(`"weight_map"`)) && bytes.Contains(prefix, []byte(".weights.h5")) {
		return checkpoint.Certain
	}
	return checkpoint.No
}

// openIndex reads the shards that a .weights.json names: {"weight_map": {"/layers/dense/vars":
// ["shd_00000.weights.h5"]}}, where a value may be one name or several
// (keras/src/saving/saving_lib.py, ShardedH5IOStore). The shards lie beside the index.
func openIndex(p checkpoint.Place, open checkpoint.OpenFile) (*checkpoint.Model, error) {
	src, err := p.Dir.Open(p.Name)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	names, err := shardNames(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Path(), err)
	}
	set := &checkpoint.Set{Index: "model.safetensors.index.json"}
	m := &checkpoint.Model{Path: src.Path(), Sets: []*checkpoint.Set{set}}
	for i, name := range names {
		c, err := open(p.Dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: it names %s, which is missing", src.Path(), name)
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
func shardNames(src source.Source) ([]string, error) {
	if src.Size() > maxConfig {
		return nil, fmt.Errorf("the index is larger than %d bytes", maxConfig)
	}
	b := make([]byte, src.Size())
	if err := segment.ReadFull(src, b, 0); err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]any `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("the index is not JSON: %v", err)
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
				return nil, fmt.Errorf("it places %q in %v, which is not a file of its directory", path, v)
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
