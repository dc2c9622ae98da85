// Package keras reads weights that Keras 2 and 3 wrote, and any other HDF5 file of
// arrays: legacy .h5 (save_weights, save), .weights.h5, and .keras, a zip file with
// an HDF5 file in it that is read in place. Configurations are shown and never decoded
// into objects: a Lambda layer in them can hold code.
package keras

import (
	"bytes"
	"fmt"

	"wfs/formats/checkpoint"
	"wfs/formats/deflate"
	"wfs/formats/hdf5"
	"wfs/formats/segment"
	"wfs/formats/source"
	"wfs/formats/zip"
)

// weightsMember is the HDF5 file in a .keras file (keras/src/saving/saving_lib.py, _VARS_FNAME_H5).
const weightsMember = "model.weights.h5"

// signature begins an HDF5 file, or stands at 512, 1024, 2048 … after a user block.
const signature = "\x89HDF\r\n\x1a\n"

// Format is the reader of HDF5 files and of what Keras makes of them. Decoded chunks are
// kept in chunks, what is inflated of zip files in inflated: their caps are those of all
// files that share them. Either may be nil.
func Format(chunks *hdf5.ChunkCache, inflated *deflate.Cache) checkpoint.Format {
	return checkpoint.Format{Name: "keras", Detect: detect, Open: func(src source.Source) (*checkpoint.Checkpoint, error) {
		return Open(src, chunks, inflated)
	}}
}

// detect tells HDF5, and a zip with Keras's members in front. Programs that look at the
// first bytes take HDF5 after a user block for something else, so others come before.
func detect(prefix []byte, file segment.Data) checkpoint.Match {
	if bytes.HasPrefix(prefix, []byte(signature)) || isKerasZip(prefix) {
		return checkpoint.Certain
	}
	head := make([]byte, len(signature))
	for at := int64(512); at < file.Size() && at <= 1<<20; at *= 2 {
		if segment.ReadFull(file, head, at) == nil && string(head) == signature {
			return checkpoint.Possible
		}
	}
	return checkpoint.No
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

// Open reads the headers and attributes of all objects, and no array. The caches are as
// for Format.
func Open(src source.Source, chunks *hdf5.ChunkCache, inflated *deflate.Cache) (*checkpoint.Checkpoint, error) {
	w, err := open(src, chunks, inflated)
	if err != nil {
		return nil, err
	}
	return w.out, nil
}

// Findings is what loading the configurations in a file would run or import. HDF5 itself
// holds no pickles.
func Findings(src source.Source) ([]Finding, error) {
	w, err := open(src, nil, nil)
	if err != nil {
		return nil, err
	}
	return judge(w.configs), nil
}

func open(src source.Source, chunks *hdf5.ChunkCache, inflated *deflate.Cache) (*walker, error) {
	if chunks == nil {
		chunks = hdf5.NewChunkCache(hdf5.DefaultCacheSize)
	}
	out := &checkpoint.Checkpoint{Format: "hdf5", Source: src, Separator: "/", Framework: "tf", Unpickled: true}
	prefix := make([]byte, min(64, src.Size()))
	if err := segment.ReadFull(src, prefix, 0); err != nil {
		return nil, err
	}
	w := &walker{file: src, out: out, byAddress: map[uint64]*checkpoint.Tensor{}, attributes: map[string]map[string]any{}}
	if isKerasZip(prefix) {
		out.Format = "keras"
		var err error
		if w.file, err = w.openZip(src, inflated); err != nil {
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
	return w, nil
}

// openZip finds the HDF5 member, and passes the others through.
func (w *walker) openZip(src source.Source, inflated *deflate.Cache) (segment.Data, error) {
	z, err := zip.Open(src, inflated)
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
			if err := segment.ReadFull(data, text, 0); err != nil {
				return nil, err
			}
			if rec.Name == "config.json" {
				w.configs = append(w.configs, config{where: rec.Name, text: string(text)})
			}
			member := source.NewMemory(rec.Name, segment.Literal(text), src)
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
