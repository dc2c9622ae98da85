// Package keras reads weights that Keras 2 and 3 wrote, and any other HDF5 file of
// arrays: legacy .h5 (save_weights, save), .weights.h5, and .keras, a zip file with
// an HDF5 file in it that is read in place. Configurations are shown and never decoded
// into objects: a Lambda layer in them can hold code.
package keras

import (
	"bytes"

	"wfs/formats/checkpoint"
	"wfs/formats/hdf5"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// signature begins an HDF5 file, or stands at 512, 1024, 2048 … after a user block.
const signature = "\x89HDF\r\n\x1a\n"

// chunks is the cache of decoded chunks, one for all files of the process: its cap
// is that of the whole mount.
var chunks = hdf5.NewChunkCache(hdf5.DefaultCacheSize)

// Detect reports whether the file is HDF5, or a zip file with Keras's members.
func Detect(prefix []byte, file segment.Data) bool {
	if bytes.HasPrefix(prefix, []byte(signature)) || DetectZip(prefix, file) {
		return true
	}
	head := make([]byte, len(signature))
	for at := int64(512); at < file.Size() && at <= 1<<20; at *= 2 {
		if n, _ := file.ReadAt(head, at); n == len(head) && string(head) == signature {
			return true
		}
	}
	return false
}

// Open reads the headers and attributes of all objects, and no array.
func Open(src *source.Source) (*checkpoint.Checkpoint, error) {
	out := &checkpoint.Checkpoint{Format: "hdf5", Source: src, Separator: "/", Framework: "tf"}
	prefix := make([]byte, min(64, src.Size()))
	if n, err := src.ReadAt(prefix, 0); n < len(prefix) {
		return nil, err
	}
	w := &walker{file: src, out: out, byAddress: map[uint64]*checkpoint.Tensor{}, attributes: map[string]map[string]any{}}
	if bytes.HasPrefix(prefix, []byte(zip.Magic)) {
		out.Format = "keras"
		var err error
		if w.file, err = w.openZip(src); err != nil {
			return nil, err
		}
	}
	f, err := hdf5.Open(w.file, w.file.Size(), hdf5.Options{Cache: chunks})
	if err != nil {
		return nil, err
	}
	if f.LeftOpen() {
		w.note("the file is marked as open for writing: its writer runs or was killed, and what is shown may be old or torn (h5clear -s clears the mark)")
	}
	if err := w.walk(f); err != nil {
		return nil, err
	}
	w.finish()
	out.Pickles = func() (checkpoint.Report, error) { return report(src.Name(), w.configs), nil }
	return out, nil
}

// Scan reports on the configurations in a file, whose name stands at the head. HDF5
// holds no pickles.
func Scan(src *source.Source, name string) (*pickle.Report, error) {
	c, err := Open(src)
	if err != nil {
		return nil, err
	}
	r, err := c.Pickles()
	if err != nil {
		return nil, err
	}
	found := r.(*pickle.Report)
	found.File = name
	return found, nil
}
