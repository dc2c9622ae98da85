package tree

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"wfs/formats/safetensors"
	"wfs/formats/view"
)

// indexWriter writes model.safetensors.index.json as the view has it.
func indexWriter(set view.Set, layouts []*safetensors.Layout) func(io.Writer) error {
	return func(out io.Writer) error {
		total := int64(0)
		type place struct{ key, file string }
		var places []place
		for i, f := range set.Files {
			if layouts[i] == nil {
				for _, e := range f.Entries {
					total += e.Data.Size()
					places = append(places, place{e.Key, f.Name})
				}
				continue
			}
			total += layouts[i].DataSize()
			for _, key := range layouts[i].Keys() {
				places = append(places, place{key, f.Name})
			}
		}
		slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.key, b.key) })
		w := bufio.NewWriter(out)
		fmt.Fprintf(w, "{\n  \"metadata\": {\n    \"total_size\": %d\n  },\n  \"weight_map\": {", total)
		separator := "\n"
		for _, p := range places {
			key, err := json.Marshal(p.key)
			if err != nil {
				return err
			}
			file, err := json.Marshal(p.file)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s    %s: %s", separator, key, file)
			separator = ",\n"
		}
		fmt.Fprint(w, "\n  }\n}\n")
		return w.Flush()
	}
}
