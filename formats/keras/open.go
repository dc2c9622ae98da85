// Package keras reads weights that Keras 2 and 3 wrote, and any other HDF5 file of
// arrays: legacy .h5 (save_weights, save), .weights.h5, and .keras, a zip file with
// an HDF5 file in it that is read in place. Configurations are shown and never decoded
// into objects: a Lambda layer in them can hold code.
package keras

import (
	"bytes"
	"fmt"
	"io"

	"wfs/formats/checkpoint"
	"wfs/formats/hdf5"
	"wfs/formats/pickle"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// weightsMember is the HDF5 file in a .keras file (keras/src/saving/saving_lib.py, _VARS_FNAME_H5).
const weightsMember = "model.weights.h5"

// signature begins an HDF5 file, or stands at 512, 1024, 2048 … behind a user block.
const signature = "\x89HDF\r\n\x1a\n"

// chunks is the cache of decoded chunks, one for all files of the process: its cap
// is that of the whole mount.
var chunks = hdf5.NewChunkCache(hdf5.DefaultCacheSize)

// Detect says whether the file is HDF5, or a zip with Keras's members in front.
func Detect(prefix []byte, file segment.Data) bool {
	if bytes.HasPrefix(prefix, []byte(signature)) || isKerasZip(prefix) {
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

// isKerasZip looks at the name of the first member.
func isKerasZip(prefix []byte) bool {
	const nameAt = 30
	if !bytes.HasPrefix(prefix, []byte(zip.Magic)) || len(prefix) < nameAt {
		return false
	}
	for _, name := range []string{"metadata.json", "config.json", weightsMember} {
		if bytes.HasPrefix(prefix[nameAt:], []byte(name)) && int(prefix[26])|int(prefix[27])<<8 == len(name) {
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
	if isKerasZip(prefix) {
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
	if err := w.walk(f); err != nil {
		return nil, err
	}
	w.finish()
	out.Pickles = func() (checkpoint.Report, error) { return report(src.Name(), w.configs), nil }
	return out, nil
}

// openZip finds the HDF5 member, and passes the others through.
func (w *walker) openZip(src *source.Source) (segment.Data, error) {
	z, err := zip.Open(src, src.Size())
	if err != nil {
		return nil, err
	}
	var weights segment.Data
	seen := map[string]bool{}
	for i := range z.Records {
		rec := &z.Records[i]
		if seen[rec.Name] { // Python's zipfile takes the last, others the first
			return nil, fmt.Errorf("member %s occurs twice", rec.Name)
		}
		seen[rec.Name] = true
		data, err := z.Data(rec)
		if err != nil {
			return nil, err
		}
		switch rec.Name {
		case weightsMember:
			weights = data
		case "config.json", "metadata.json":
			if data.Size() > maxConfig {
				return nil, fmt.Errorf("member %s has %d bytes, wfs reads %d", rec.Name, data.Size(), maxConfig)
			}
			text := make([]byte, data.Size())
			if n, err := data.ReadAt(text, 0); n < len(text) && err != io.EOF {
				return nil, err
			}
			if rec.Name == "config.json" {
				w.configs = append(w.configs, config{where: rec.Name, text: string(text)})
			}
			member := source.FromReader(rec.Name, bytes.NewReader(text), int64(len(text)))
			member.ModTime = src.ModTime
			w.out.Files = append(w.out.Files, checkpoint.File{Path: rec.Name, Source: member})
		default:
			w.omit(rec.Name, "member that holds no weights")
		}
	}
	if weights == nil {
		return nil, fmt.Errorf("it holds no %s", weightsMember)
	}
	return weights, nil
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
