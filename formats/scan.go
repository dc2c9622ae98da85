package formats

import (
	"fmt"

	"wfs/formats/keras"
	"wfs/formats/pickle"
	"wfs/formats/source"
	"wfs/formats/torch"
)

// Scan reports on the pickles in a file. A file that is no container of pickles has
// none.
func Scan(path string) (*pickle.Report, error) {
	src, err := source.Open(path)
	if err != nil {
		return nil, plainPath(err)
	}
	defer src.Close()
	prefix := make([]byte, min(sniffed, src.Size()))
	if n, err := src.ReadAt(prefix, 0); n < len(prefix) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	report := &pickle.Report{File: path, Pickles: []pickle.Stream{}}
	switch {
	case keras.Detect(prefix, src):
		report, err = keras.Scan(src, path)
	case torch.Detect(prefix, src):
		report, err = torch.Scan(src, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return report, nil
}
