package numpy

import (
	"fmt"
	"strings"

	"wfs/formats/checkpoint"
	"wfs/formats/segment"
	"wfs/formats/source"
)

// maxFiles bounds a directory: a descriptor is held open for each array.
const maxFiles = 20_000

// Directory is the reader of a directory of .npy files, at the given paths, as one
// checkpoint: each is a tensor under its path. Its error names the file. bands are as for
// Format.
func Directory(bands *segment.Bands) func(dir source.Dir, paths []string) (*checkpoint.Checkpoint, error) {
	return func(dir source.Dir, paths []string) (*checkpoint.Checkpoint, error) {
		if len(paths) > maxFiles {
			return nil, fmt.Errorf("%s: it holds %d arrays: wfs opens %d", source.Printable(dir.Path()), len(paths), maxFiles)
		}
		out := &checkpoint.Checkpoint{Format: "directory of npy", Separator: ".", Framework: "pt"}
		c := newCollector(out, bands)
		var opened []source.Source
		for _, name := range paths {
			src, err := dir.Open(name)
			if err == nil {
				opened = append(opened, src)
				if err = c.file(strings.TrimSuffix(name, ".npy"), src); err != nil {
					err = fmt.Errorf("%s: %w", source.Printable(src.Path()), err)
				}
			}
			if err != nil {
				for _, src := range opened {
					src.Close()
				}
				return nil, err
			}
			if strings.Contains(name, "/") {
				out.Separator = "/"
			}
		}
		c.finish()
		out.Source = source.Joined(dir.Path(), opened...)
		return out, nil
	}
}
