package formats

import (
	"fmt"

	"wfs/formats/keras"
	"wfs/formats/pickle"
	"wfs/formats/source"
	"wfs/formats/torch"
)

// Scan reports on the pickles in a file. A file in which none is found is reported
// as such.
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
	// Every file is searched for pickles, whatever it is besides: a pickle may be the
	// user block of an HDF5 file.
	report, err := torch.Scan(src, path)
	if err == nil && keras.Detect(prefix, src) {
		config, other := keras.Scan(src, path)
		switch {
		case other == nil:
			report.Container = append(report.Container, config.Container...)
			report.Verdict = max(report.Verdict, config.Verdict)
		case report.Verdict == pickle.Allowed:
			err = other
		default:
			report.Container = append(report.Container, other.Error())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return report, nil
}
