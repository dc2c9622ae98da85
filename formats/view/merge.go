package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Merged is the files of a set as one: the tensors of all shards under the keys that they
// have there, and the metadata of all, of which the first shard's comes first where two
// say different things. A key that two shards have is an error.
func (s Set) Merged() (File, error) {
	if len(s.Files) == 1 {
		return s.Files[0], nil
	}
	name, _ := strings.CutSuffix(s.Index, ".index.json")
	merged := File{Name: name, Source: s.Files[0].Source, Metadata: map[string]string{}}
	in := map[string]File{}
	for _, f := range slices.Backward(s.Files) {
		maps.Copy(merged.Metadata, f.Metadata)
	}
	for _, f := range s.Files {
		for _, e := range f.Entries {
			if other, ok := in[e.Key]; ok {
				return File{}, fmt.Errorf("both %s and %s have a tensor %.200q: one file can have one of a name", other.Source.Name(), f.Source.Name(), e.Key)
			}
			in[e.Key] = f
			merged.Entries = append(merged.Entries, e)
		}
	}
	return merged, nil
}
